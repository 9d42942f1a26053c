//! Views: pages made from templates and data.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use http::StatusCode;
use http::header::HeaderValue;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, ErrorKind, HtmlEscape, UndefinedBehavior, Value};
use serde::Serialize;

use crate::base::error::{StartError, with_causes};
use crate::content::folder::Folder;
use crate::content::position::Positions;
use crate::http::content_security_policy::protect;
use crate::http::nonce::{nonce, source_of_nonce, with_nonce};
use crate::http::response::{WholeResponse, internal_error, whole};

/// Names a view as the response, where its name or its variables are known only
/// at run time; otherwise derive `View`, which the compiler checks.
///
/// `view("users/list")` is the template `users/list.html` in the folder that
/// `views` declares. It may include other templates of that folder; its output
/// is escaped for HTML.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::reply::view;
///
/// let page = view("users/list").with(&serde_json::json!({ "users": ["Ada"] }));
/// ```
pub fn view(name: impl Into<String>) -> View {
    View { name: name.into(), data: Value::UNDEFINED }
}

/// A page as a response; made by [`view`].
#[derive(Clone, Debug)]
#[must_use = "a view does nothing until it is returned from a handler"]
pub struct View {
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl View {
    /// Names a view and its variables.
    pub(crate) fn of<T: Serialize + ?Sized>(name: &str, data: &T) -> View {
        View { name: name.to_owned(), data: Value::from(Serde(data)) }
    }

    /// Sets the variables of the template: the keys of a map, or the fields of a
    /// struct that derives `View`.
    pub fn with<T: Variables + ?Sized>(mut self, data: &T) -> View {
        self.data = Value::from(Serde(data));
        self
    }
}

/// Values whose parts have names, which are the variables of a view.
#[diagnostic::on_unimplemented(
    message = "`{Self}` isn't known to give variables to a view",
    label = "neither a map with texts as keys nor a struct that derives `View`",
    note = "derive `View` for the struct, name its file by `#[view(\"name\")]`, and return the value itself as the reply",
    note = "maps are `HashMap<String, V>`, `BTreeMap<&str, V>` and `serde_json::Map`"
)]
pub trait Variables: Serialize {}

impl<T: Variables + ?Sized> Variables for &T {}
impl<K: AsRef<str> + Serialize, V: Serialize> Variables for BTreeMap<K, V> {}
impl<K: AsRef<str> + Serialize, V: Serialize, S> Variables for HashMap<K, V, S> {}
impl Variables for serde_json::Map<String, serde_json::Value> {}
/// An object; any other value is an error when the page is made.
impl Variables for serde_json::Value {}

/// The templates of a folder.
pub struct Views {
    folder: Folder,
    /// Marks the scripts of templates until a page is rendered and gets a nonce
    /// of its own. It is never sent, so no data can contain it.
    mark: String,
    /// Keeps each template that was used; only if they can't change.
    compiled: Option<Environment<'static>>,
}

impl Views {
    /// Makes the templates of a folder, which are compiled when they are used.
    pub fn of(folder: Folder) -> Views {
        let mark = nonce();
        let compiled = (!folder.is_on_disk()).then(|| environment(&folder, &mark));
        Views { folder, mark, compiled }
    }

    /// Compiles every template, so that a broken one is found at the start.
    pub(crate) fn new(folder: Folder) -> Result<Views, StartError> {
        let views = Views::of(folder);
        let environment = views.environment();
        for path in views.folder.paths(".html") {
            environment.get_template(&path).map_err(|error| StartError::View {
                view: path.to_string(),
                reason: with_causes(&error),
            })?;
        }
        drop(environment);
        Ok(views)
    }

    /// Returns whether there is a view with that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.folder.read(format!("{name}.html").split('/')).is_some()
    }

    /// Renders a page as a response, with this Content-Security-Policy. If that
    /// fails, the log says why, and so does the page while the folder is read from
    /// the disk, as in development.
    pub(crate) fn answer(
        &self,
        view: &View,
        policy: &'static str,
        positions: &Positions,
    ) -> WholeResponse {
        let error = match self.render(&view.name, &view.data, positions) {
            Ok(page) => return self.response(StatusCode::OK, &page, policy),
            Err(error) => error,
        };
        let response = internal_error(&reason(&view.name, &error));
        match self.folder.is_on_disk() {
            true => self.response(response.status(), &explanation(view, &error), policy),
            false => response,
        }
    }

    /// Renders the view of that name with these variables and this
    /// Content-Security-Policy. The error is a sentence for the log.
    pub(crate) fn answer_with(
        &self,
        name: &str,
        variables: &BTreeMap<&str, String>,
        policy: &'static str,
        positions: &Positions,
    ) -> Result<WholeResponse, String> {
        let page = self.render(name, &View::of(name, variables).data, positions);
        let page = page.map_err(|error| reason(name, &error))?;
        Ok(self.response(StatusCode::OK, &page, policy))
    }

    fn response(&self, status: StatusCode, page: &str, policy: &'static str) -> WholeResponse {
        let nonce = nonce();
        let page = page.replace(&self.mark, &nonce);
        let content_type = const { HeaderValue::from_static("text/html; charset=utf-8") };
        let mut response = whole(status, content_type, page.into());
        protect(response.headers_mut(), policy, &source_of_nonce(&nonce));
        response
    }

    fn render(
        &self,
        name: &str,
        data: &Value,
        positions: &Positions,
    ) -> Result<String, minijinja::Error> {
        let outer = POSITIONS.replace(Some(positions.clone()));
        let environment = self.environment();
        let template = environment.get_template(&format!("{name}.html"));
        let page = template.and_then(|template| template.render(data));
        POSITIONS.set(outer);
        page
    }

    fn environment(&self) -> Cow<'_, Environment<'static>> {
        match &self.compiled {
            Some(compiled) => Cow::Borrowed(compiled),
            None => Cow::Owned(environment(&self.folder, &self.mark)),
        }
    }
}

fn reason(name: &str, error: &minijinja::Error) -> String {
    format!("view `{name}` can't be shown: {}", with_causes(error))
}

/// The most characters of its variables that an explanation shows.
const MAX_SHOWN_CHARS: usize = 10_000;

/// Makes a page for the developer that shows where a view failed, and what it was
/// given.
fn explanation(view: &View, error: &minijinja::Error) -> String {
    let reason = reason(&view.name, error);
    let excerpt = error.display_debug_info().to_string();
    let given: String = format!("{:#?}", view.data).chars().take(MAX_SHOWN_CHARS).collect();
    let [reason, excerpt, given] = [&reason, &excerpt, &given].map(|text| HtmlEscape(text));
    format!(
        "<!doctype html>\n<title>500</title>\n<h1>{reason}</h1>\n<pre>{excerpt}</pre>\n\
         <p>It was given:</p>\n<pre>{given}</pre>\n\
         <p>Builds without debug assertions, such as release builds, say this in the log alone.</p>\n"
    )
}

fn environment(folder: &Folder, mark: &str) -> Environment<'static> {
    let mut environment = Environment::new();
    // An error then quotes its lines.
    environment.set_debug(folder.is_on_disk());
    // A misspelled variable is an error, not an empty string.
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    // Whatever its name ends with, a template is a part of a page.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("tojson", tojson);
    environment.add_function("position", position);
    // One that shows itself ends there. By the default, it takes more than half of a
    // thread's stack in builds without optimisation.
    environment.set_recursion_limit(MAX_DEPTH);
    let (folder, mark) = (folder.clone(), mark.to_owned());
    environment.set_loader(move |path| {
        let Some(file) = folder.read(path.split('/')) else {
            return Ok(None);
        };
        let not_text =
            |_| minijinja::Error::new(ErrorKind::InvalidOperation, "the file is not UTF-8");
        let text = String::from_utf8(file.into()).map_err(not_text)?;
        // Some editors write a byte order mark. Amid a page it would be text, and
        // a second one before `<!doctype>` leads to quirks mode.
        Ok(Some(with_nonce(text.trim_start_matches('\u{feff}'), &mark)))
    });
    environment
}

/// How deep templates may be: a loop counts 1, a macro 4 and an include 10.
const MAX_DEPTH: usize = 250;

thread_local! {
    /// Those of the server whose page this thread makes: templates of a library may be
    /// those of several servers, and macros of other files don't see what a page is given.
    static POSITIONS: RefCell<Option<Positions>> = const { RefCell::new(None) };
}

/// Tells how far the signal at a path has come: `position("/chat")`.
fn position(path: &str) -> Result<String, minijinja::Error> {
    let found = POSITIONS.with_borrow(|positions| {
        positions.as_ref().expect("a template is shown by `render` alone").of(path)
    });
    let error = |reason| minijinja::Error::new(ErrorKind::InvalidOperation, reason);
    found.map(|position| position.to_string()).map_err(error)
}

/// Writes a value as JSON that is JavaScript, too: older browsers take two more
/// characters for line breaks, which end strings.
fn tojson(
    value: &Value,
    indent: Option<Value>,
    options: Kwargs,
) -> Result<Value, minijinja::Error> {
    let json = minijinja::filters::tojson(value, indent, options)?.to_string();
    let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    Ok(Value::from_safe_string(json))
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").field("folder", &self.folder).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use pode_core::hub::Position;

    use super::*;

    const FILES: &[(&str, &[u8])] = &[
        ("hello.html", b"{% include \"parts/name.html\" %}!"),
        ("parts/name.html", b"Hello {{ name }}"),
    ];

    /// Those of a server without signals.
    fn nowhere() -> Positions {
        Positions::new(|path| Err(format!("nothing is at {path}")))
    }

    fn rendered(views: &Views, page: &View) -> String {
        views.render(&page.name, &page.data, &nowhere()).unwrap()
    }

    #[test]
    fn a_view_includes_others_and_escapes_what_it_prints() {
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let page = view("hello").with(&serde_json::json!({ "name": "<b>" }));
        assert_eq!(rendered(&views, &page), "Hello &lt;b&gt;!");
    }

    #[test]
    fn what_is_included_is_escaped_whatever_its_file_is_called() {
        const FILES: &[(&str, &[u8])] = &[
            ("data.json", b"{{ name }}"),
            ("label.svg", b"<text>{{ name }}</text>"),
            (
                "page.html",
                b"{% include 'label.svg' %}{% include 'part' %}{% include 'data.json' %}",
            ),
            ("part", b"{{ name }}"),
        ];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let page = view("page").with(&BTreeMap::from([("name", "<b>")]));
        let page = rendered(&views, &page);
        assert_eq!(page, "<text>&lt;b&gt;</text>&lt;b&gt;&lt;b&gt;");
    }

    #[test]
    fn a_template_that_shows_itself_is_an_error() {
        const FILES: &[(&str, &[u8])] = &[
            (
                "deep.html",
                b"{% macro a(n) %}{% if n %}{{ a(n - 1) }}{% endif %}{% endmacro %}{{ a(40) }}",
            ),
            ("include.html", b"{% include 'include.html' %}"),
            ("loop.html", b"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
            ("macro.html", b"{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
        ];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let answer = move |name| views.answer(&view(name), "", &nowhere()).status().as_u16();
        let answers = move || ["include", "macro", "loop", "deep"].map(answer);
        // Half of what threads have, so that the other half is left to whatever calls.
        let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(answers).unwrap();
        assert_eq!(thread.join().unwrap(), [500, 500, 500, 200]);
    }

    #[test]
    fn what_a_template_writes_into_a_script_stays_a_value() {
        const FILES: &[(&str, &[u8])] =
            &[("page.html", b"<script>a = {{ name | tojson }}</script>")];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let page = view("page").with(&BTreeMap::from([("name", "</script>\"'&\u{2028}\\")]));
        let page = rendered(&views, &page);
        let value = page.split_once(" = ").unwrap().1.strip_suffix("</script>").unwrap();
        assert!(!value.contains(['<', '>', '&', '\'', '\u{2028}']), "{value}");
        let read: String = serde_json::from_str(value).unwrap();
        assert_eq!(read, "</script>\"'&\u{2028}\\");
    }

    #[test]
    fn a_template_tells_how_far_a_signal_has_come() {
        const FILES: &[(&str, &[u8])] = &[
            ("hides.html", b"{{ position }}"),
            ("macros", b"{% macro at(path) %}{{ position(path) }}{% endmacro %}"),
            (
                "page.html",
                b"{% from 'macros' import at %}{{ at('/a') }} {% include 'part' %}\
                  {% for room in ['b'] %}{{ position('/' ~ room) | tojson }}{% endfor %}",
            ),
            ("part", b"<a href='/a?resume={{ position('/a') }}'>"),
        ];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let positions =
            Positions::new(|path| Ok(Position { epoch: 10, number: path.len() as u64 }));
        assert_eq!(
            views.render("page", &Value::UNDEFINED, &positions).unwrap(),
            "000000000000000a-2 <a href='/a?resume=000000000000000a-2'>\"000000000000000a-2\""
        );
        let first = BTreeMap::from([("position", "first")]);
        let data = View::of("hides", &first).data;
        assert_eq!(views.render("hides", &data, &positions).unwrap(), "first");
        let error = views.render("page", &Value::UNDEFINED, &nowhere()).unwrap_err();
        assert!(reason("page", &error).contains("nothing is at /a"), "{error}");
    }

    #[test]
    fn byte_order_marks_of_templates_are_not_sent() {
        const FILES: &[(&str, &[u8])] = &[
            ("base.html", "\u{feff}<!doctype html>{% block body %}{% endblock %}".as_bytes()),
            ("page.html", "\u{feff}{% extends 'base.html' %}{% block body %}{% include 'part.html' %}{% endblock %}".as_bytes()),
            ("part.html", "\u{feff}part".as_bytes()),
        ];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        assert_eq!(views.answer(&view("page"), "", &nowhere()).body(), "<!doctype html>part");
    }

    #[test]
    fn what_is_missing_is_named() {
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let failing =
            |name| reason(name, &views.render(name, &Value::UNDEFINED, &nowhere()).unwrap_err());
        let error = failing("hello");
        assert!(error.contains("view `hello`") && error.contains("parts/name.html:1"), "{error}");
        let error = failing("../hello");
        assert!(error.contains("does not exist"), "{error}");
    }

    #[test]
    fn a_view_that_cannot_be_shown_is_a_500_that_tells_nothing() {
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        for name in ["hello", "missing"] {
            let page = view(name).with(&BTreeMap::from([("secret", "hidden")]));
            let response = views.answer(&page, "", &nowhere());
            assert_eq!(response.status(), 500);
            assert_eq!(response.body(), "the server could not answer this request\n");
        }
    }

    #[test]
    fn nothing_and_a_struct_without_fields_are_no_variables() {
        #[derive(Serialize)]
        struct Nothing;
        const FILES: &[(&str, &[u8])] = &[("page.html", b"{{ name | default('none') }}")];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        for page in [view("page"), View::of("page", &Nothing)] {
            assert_eq!(views.answer(&page, "", &nowhere()).body(), "none");
        }
    }

    #[test]
    fn a_broken_template_is_known_at_the_start() {
        let error = Views::new(Folder::embedded(&[("broken.html", b"\n{% if %}")])).unwrap_err();
        let sentence = error.to_string();
        assert!(
            sentence.starts_with("view `broken.html` can't be used") && sentence.contains(":2"),
            "{sentence}"
        );
    }

    #[test]
    fn only_scripts_of_templates_may_run() {
        const FILES: &[(&str, &[u8])] = &[
            ("more.html", b"<script src=/more.js></script>"),
            ("page.html", b"<script>own()</script>{{ said | safe }}{% include \"more.html\" %}"),
        ];
        let views = Views::new(Folder::embedded(FILES)).unwrap();
        let page = view("page").with(&serde_json::json!({ "said": "<script>evil()</script>" }));
        let nonces = [(); 2].map(|()| {
            let response = views.answer(&page, "script-src {scripts}", &nowhere());
            let policy = response.headers()["content-security-policy"].to_str().unwrap();
            let nonce =
                policy.strip_prefix("script-src 'nonce-").unwrap().strip_suffix('\'').unwrap();
            let expected = format!(
                "<script nonce={nonce}>own()</script><script>evil()</script>\
                 <script nonce={nonce} src=/more.js></script>"
            );
            assert_eq!(response.body(), &expected);
            nonce.to_owned()
        });
        assert_ne!(nonces[0], nonces[1]);
        assert!(!nonces.contains(&views.mark));
    }
}
