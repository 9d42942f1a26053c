//! What views print where the escaping for HTML doesn't protect.

use super::{Code, Diagnostic};
use crate::model::{File, Folder, Place};
use crate::page::{Html, Spot, Unsafe, Values};

/// Finds it in a page of the folder whose values these are. Without a policy of the
/// user's, `own_policy`, scripts in attributes are refused altogether.
pub(super) fn check(
    folder: &Folder,
    file: &File,
    html: &Html<'_>,
    (values, own_policy): (&Values, bool),
    found: &mut Vec<Diagnostic>,
) {
    for it in values.unsafe_in(html, own_policy) {
        let view = format!("{}:{}", folder.path_of(file), it.line);
        found.push(unsafe_value(folder.path.place, &view, &it));
    }
}

fn unsafe_value(place: Place, view: &str, it: &Unsafe) -> Diagnostic {
    let code = &it.code;
    let simple = code.chars().all(|c| c.is_alphanumeric() || "_.|[]()\"' ".contains(c))
        && !code.contains(" if ")
        && !code.contains(" or ");
    let json = if simple { format!("{code}|tojson") } else { format!("({code})|tojson") };
    let (number, wrong, help) = match &it.spot {
        Spot::Script => (
            Code::ValueInScript,
            "into a script, where it can become code: it is only escaped for HTML".to_owned(),
            format!("write `{{{{ {json} }}}}`, without quotes around it"),
        ),
        Spot::Quotes => (
            Code::ValueInScript,
            "into quotes of a script, which its own quotes end".to_owned(),
            format!("remove the quotes around `{{{{ {code} }}}}`"),
        ),
        Spot::Style => (
            Code::ValueWithoutQuotes,
            "into a style, where it can become further rules: it is only escaped for HTML"
                .to_owned(),
            format!(
                "choose between classes of the style, or, if no visitor can choose the value, \
                 write `{{{{ {code}|safe }}}}`"
            ),
        ),
        Spot::Unquoted(name) => (
            Code::ValueWithoutQuotes,
            format!("into the attribute `{name}` without quotes, where a space ends it"),
            "put quotes around the attribute's value".to_owned(),
        ),
        Spot::DoubleQuotes(name) => (
            Code::ValueWithoutQuotes,
            format!("into double quotes of the attribute `{name}`, which its own quotes end"),
            "put single quotes around the attribute's value".to_owned(),
        ),
    };
    let message = format!("view `{view}` writes `{{{{ {code} }}}}` {wrong}");
    Diagnostic::new(number, place, message, help)
}
