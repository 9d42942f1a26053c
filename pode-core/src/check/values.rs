//! What views print where the escaping for HTML doesn't protect.

use super::{Code, Diagnostic};
use crate::model::Folder;
use crate::page::{Spot, Unsafe, Values};

/// Finds it in the views among these templates of a folder. Without a policy of the
/// user's, `own_policy`, scripts in attributes are refused altogether.
pub(super) fn check(
    folder: &Folder,
    templates: &[String],
    own_policy: bool,
    found: &mut Vec<Diagnostic>,
) {
    let text = |path: &str| folder.file(path)?.text.as_deref();
    let mut values = Values::new(text, own_policy);
    for view in templates.iter().filter(|path| path.ends_with(".html")) {
        found.extend(values.unsafe_in(view).iter().map(|it| unsafe_value(folder, it)));
    }
}

fn unsafe_value(folder: &Folder, it: &Unsafe) -> Diagnostic {
    let code = &it.code;
    let folder_shown = folder.path.text.trim_end_matches('/');
    let mut view = format!("`{folder_shown}/{}:{}`", it.file, it.line);
    if it.view != it.file {
        view += &format!(", as `{folder_shown}/{}` shows it,", it.view);
    }
    let shown = match it.word.as_str() {
        "" => format!("{{{{ {code} }}}}"),
        word => format!("{{% {word} {code} %}}"),
    };
    let simple = code.chars().all(|c| c.is_alphanumeric() || "_.|[]()\"' ".contains(c))
        && ![" if ", " or "].iter().any(|word| code.contains(word));
    let by = |filter: &str| match simple {
        true => format!("{{{{ {code}|{filter} }}}}"),
        false => format!("{{{{ ({code})|{filter} }}}}"),
    };
    let is_json = code.contains("tojson");
    let json = if is_json { shown.clone() } else { by("tojson") };
    let (wrong, help) = match &it.spot {
        Spot::Quotes if is_json => (
            "into quotes of a script, which its own quotes end".to_owned(),
            format!("remove the quotes around `{shown}`"),
        ),
        Spot::Script | Spot::Quotes | Spot::Text => (
            "into a script, where it can become code: it is only escaped for HTML".to_owned(),
            format!("write `{}`, without quotes around it", by("tojson")),
        ),
        Spot::NoCode => (
            "into a part of a script that isn't plain code, such as a comment or a regular \
             expression, which it can end"
                .to_owned(),
            format!("leave it out there, or write `const value = {json};` before, and use `value`"),
        ),
        Spot::Document => (
            "into `srcdoc`, a page of its own, where it can become markup".to_owned(),
            "let the frame ask for another view: `<iframe src=\"/…\">`".to_owned(),
        ),
        Spot::Address(name) => (
            format!("into the attribute `{name}`, where it can say which script is run"),
            "write the beginning of the address, up to its path: `/scripts/…`".to_owned(),
        ),
        Spot::Style => (
            "into a style, where it can become further rules: it is only escaped for HTML"
                .to_owned(),
            format!(
                "choose between classes of the style, or, if no visitor can choose the value, \
                 write `{}`",
                by("safe")
            ),
        ),
        Spot::StyleAttribute => (
            "into a style, where it can become further properties".to_owned(),
            format!("choose between classes, or write `{}`, if it is a number", by("float")),
        ),
        Spot::Unquoted(name) => (
            format!("into the attribute `{name}` without quotes, where a space ends it"),
            "put quotes around the attribute's value".to_owned(),
        ),
        Spot::DoubleQuotes(name) => (
            format!("into double quotes of the attribute `{name}`, which its own quotes end"),
            "put single quotes around the attribute's value".to_owned(),
        ),
        Spot::Name => (
            "into a tag, where it can become any attribute".to_owned(),
            "write the names of tags and attributes out, and values in quotes: \
             `{% if … %}title=\"{{ title }}\"{% endif %}`"
                .to_owned(),
        ),
        Spot::Kept => (
            "as JSON under a name, which may be printed where its own quotes end the text"
                .to_owned(),
            "pass the value itself, and write `|tojson` where it is printed".to_owned(),
        ),
        Spot::Computed => (
            "of which only the running server knows the template, so that what it prints can't \
             be checked"
                .to_owned(),
            "write the names out: `{% if … %}{% include \"one.html\" %}{% endif %}`".to_owned(),
        ),
        Spot::Itself => (
            "within the block that it shows, without end".to_owned(),
            "show another block, or by `super()` what this one replaces".to_owned(),
        ),
        Spot::Unclear => (
            "behind which it isn't known whether the page goes on as text, tag or script"
                .to_owned(),
            "end each tag, quotation, script and style in the branch, loop, file or macro in \
             which it begins, and call macros by the names that they are defined or imported by"
                .to_owned(),
        ),
        Spot::Unread => (
            "whose statements aren't understood".to_owned(),
            "write each statement in a simple form, and end those that have an end".to_owned(),
        ),
    };
    let (number, verb) = match it.spot {
        Spot::Computed | Spot::Itself | Spot::Unclear | Spot::Unread => {
            (Code::UnclearTemplate, "has")
        }
        Spot::Script | Spot::Quotes | Spot::NoCode | Spot::Document | Spot::Address(_) => {
            (Code::ValueInScript, "writes")
        }
        _ => (Code::ValueWithoutQuotes, "writes"),
    };
    let message = match it.spot {
        Spot::Unread => {
            format!("view `{folder_shown}/{}` includes `{}`, {wrong}", it.view, it.file)
        }
        _ => format!("view {view} {verb} `{shown}` {wrong}"),
    };
    Diagnostic::new(number, folder.path.place, message, help)
}
