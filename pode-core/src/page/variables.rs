//! The variables that a template needs, as far as they can be known without
//! running it.
//!
//! Whether an expression fails without a variable is never guessed: it is run
//! without it, with the behavior that servers have. What is not run in any case,
//! such as the body of a macro, is left out.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::names::{POSITION, WORDS, binds_within, names};
use super::template::{first_word, names as literal_names};
use super::tree::{Extends, Node, Template, begins_body};

/// A variable that a template needs, and that nothing gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The file, as its folder names it.
    pub file: String,
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// The variables that loops and the like give there.
    pub locals: Vec<String>,
}

/// Which parts of a template are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// What is shown in any case.
    Always,
    /// In the view's own file also the bodies of `for`, and of an `if` with a
    /// condition on what is given.
    Bodies,
}

type Read<'read> = Box<dyn Fn(&str) -> Option<String> + 'read>;

/// The templates of a folder, each of which is read once.
pub struct Templates<'read> {
    read: Read<'read>,
    /// `None` is one that isn't there, or isn't understood.
    known: HashMap<String, Option<Rc<Template>>>,
    environment: Environment<'static>,
}

impl std::fmt::Debug for Templates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates").field("known", &self.known.keys()).finish_non_exhaustive()
    }
}

impl<'read> Templates<'read> {
    /// Makes the templates of a folder; `read` returns the text of a file by its
    /// path below the folder.
    pub fn new(read: impl Fn(&str) -> Option<String> + 'read) -> Templates<'read> {
        let mut environment = Environment::new();
        // As in a server.
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        // Errors then say where in the source they arose.
        environment.set_debug(true);
        Templates { read: Box::new(read), known: HashMap::new(), environment }
    }

    /// Returns the variables that this view surely needs beside those that are
    /// given, each once.
    pub fn missing(&mut self, file: &str, given: &[&str], judged: Judged) -> Vec<Missing> {
        // From the view to the one that extends nothing.
        let mut chain: Vec<Rc<Template>> = Vec::new();
        let mut next = Some(file.to_owned());
        while let Some(file) = next {
            let Some(template) = self.template(&file) else { return Vec::new() };
            let again = chain.iter().any(|earlier| earlier.file == template.file);
            next = match &template.extends {
                _ if again => return Vec::new(),
                Extends::Nothing => None,
                Extends::Unknown => return Vec::new(),
                Extends::FirstOf(names) => {
                    match names.iter().find(|name| self.template(name).is_some()) {
                        Some(parent) => Some(parent.clone()),
                        None => return Vec::new(),
                    }
                }
            };
            chain.push(template);
        }
        let mut involved: Vec<Rc<Template>> = Vec::new();
        chain.iter().for_each(|template| self.involve(template, &mut involved));
        let bound = involved.iter().flat_map(|template| template.bound.iter().cloned()).collect();
        let mut walk = Walk {
            templates: self,
            chain: &chain,
            given,
            bound,
            locals: Vec::new(),
            judged,
            depth: 0,
            is_included: false,
            included: HashSet::new(),
            found: Vec::new(),
        };
        if let Some(root) = chain.last() {
            walk.nodes(root, &root.nodes);
        }
        walk.found
    }

    fn template(&mut self, file: &str) -> Option<Rc<Template>> {
        if let Some(known) = self.known.get(file) {
            return known.clone();
        }
        let text = (self.read)(file);
        let template = text.and_then(|text| Template::of(file, text)).map(Rc::new);
        self.known.insert(file.to_owned(), template.clone());
        template
    }

    /// Collects a template and all that it includes: what one binds, the others
    /// may see.
    fn involve(&mut self, template: &Rc<Template>, involved: &mut Vec<Rc<Template>>) {
        if involved.iter().any(|other| other.file == template.file) {
            return;
        }
        involved.push(Rc::clone(template));
        for name in template.includes.iter().flatten() {
            if let Some(other) = self.template(name) {
                self.involve(&other, involved);
            }
        }
    }

    /// Runs code between these delimiters without any variable: if it fails for the
    /// lack of one, returns where in the code it stands, and its name. Code that
    /// uses a variable which `is_known` can't be judged so.
    ///
    /// What an operator or a function refuses is lacking if it takes another value.
    fn needs(
        &self,
        [before, code, behind]: [&str; 3],
        is_known: impl Fn(&str) -> bool,
    ) -> Option<(usize, String)> {
        let piece = [before, code, behind].concat();
        let template = self.environment.template_from_str(&piece).ok()?;
        let mut free = template.undeclared_variables(false);
        let is_global = |name: &str| self.environment.globals().any(|(global, _)| global == name);
        // Without parentheses it is no function.
        let calls = |(at, name): (usize, &str)| {
            name == POSITION && code[at + name.len()..].trim_start().starts_with('(')
        };
        let asks = names(code).any(calls);
        free.retain(|name| !(is_global(name) || asks && name == POSITION));
        if free.iter().any(|name| is_known(name)) {
            return None;
        }
        let error_with = |value: Value| {
            let values = free.iter().map(|name| (name.as_str(), value.clone()));
            let mut values: HashMap<&str, Value> = values.collect();
            if asks {
                values.insert(POSITION, Value::from_function(|_: &str| ""));
            }
            template.render(Value::from(values)).err()
        };
        let error = error_with(Value::UNDEFINED)?;
        let mut places = names(code).filter(|(_, name)| free.contains(*name));
        let fails_at = error.range().unwrap_or_default();
        let exact = places.clone().find(|(at, _)| fails_at.contains(&(before.len() + at)));
        let place = match error.kind() {
            ErrorKind::UndefinedError => exact.or_else(|| places.next()),
            ErrorKind::InvalidOperation => {
                let takes = |value| error_with(value).is_none_or(|it| it.kind() != error.kind());
                exact.filter(|_| takes(1.into()) || takes("".into()) || takes(vec![1].into()))
            }
            _ => None,
        };
        place.map(|(at, name)| (at, name.to_owned()))
    }
}

/// The deepest that templates are followed: one may include itself.
const MAX_DEPTH: usize = 32;

/// A walk through what a view shows.
struct Walk<'walk, 'read> {
    templates: &'walk mut Templates<'read>,
    chain: &'walk [Rc<Template>],
    given: &'walk [&'walk str],
    bound: HashSet<String>,
    locals: Vec<String>,
    judged: Judged,
    depth: usize,
    is_included: bool,
    /// The files included so far, each with the locals there: with the same ones, it
    /// needs nothing else.
    included: HashSet<(String, BTreeSet<String>)>,
    found: Vec<Missing>,
}

impl Walk<'_, '_> {
    fn is_known(&self, name: &str) -> bool {
        WORDS.contains(&name)
            || self.given.contains(&name)
            || self.bound.contains(name)
            || self.locals.iter().any(|local| local == name)
    }

    fn nodes(&mut self, template: &Template, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(template, node));
    }

    fn node(&mut self, template: &Template, node: &Node) {
        let code = template.code(node);
        let word = node.word.as_str();
        match word {
            "" => self.piece(template, node, "{{ ", " }}"),
            "do" => self.piece(template, node, "{% do ", " %}"),
            "set" if begins_body(word, code) => self.nodes(template, &node.body),
            "set" => self.piece(template, node, "{% set ", " %}"),
            "if" => {
                self.piece(template, node, "{% if ", " %}{% endif %}");
                if self.judges_bodies_of(template) && self.is_condition_on_the_given(code) {
                    self.nodes(template, &node.body);
                }
            }
            "for" => {
                self.piece(template, node, "{% for ", " %}{% endfor %}");
                let filtered = names(code).any(|(_, name)| name == "if");
                if self.judges_bodies_of(template) && !filtered {
                    self.within(template, node);
                }
            }
            "with" => {
                self.piece(template, node, "{% with ", " %}{% endwith %}");
                self.within(template, node);
            }
            "filter" | "autoescape" => self.nodes(template, &node.body),
            "block" => self.block(template, node),
            "include" => self.include(code),
            // What a macro is given is known where it is called; an import shows
            // nothing.
            _ => {}
        }
    }

    /// Judges a node's code between these delimiters.
    fn piece(&mut self, template: &Template, node: &Node, before: &str, behind: &str) {
        let code = template.code(node);
        if names(code).all(|(_, name)| self.is_known(name)) {
            return;
        }
        let is_known = |name: &str| self.is_known(name);
        let Some((at, name)) = self.templates.needs([before, code, behind], is_known) else {
            return;
        };
        if self.found.iter().any(|found| found.name == name) {
            return;
        }
        let line = template.line(node.code.start + at);
        let (file, locals) = (template.file.clone(), self.locals.clone());
        self.found.push(Missing { file, line, name, locals });
    }

    fn within(&mut self, template: &Template, node: &Node) {
        let before = self.locals.len();
        let bound = binds_within(&node.word, template.code(node));
        self.locals.extend(bound.into_iter().map(str::to_owned));
        self.nodes(template, &node.body);
        self.locals.truncate(before);
    }

    /// Only the view's own file is written for what it is given; others have
    /// conditions for other views.
    fn judges_bodies_of(&self, template: &Template) -> bool {
        self.judged == Judged::Bodies && template.file == self.chain[0].file
    }

    /// Tells whether both outcomes of a condition are to be expected: it asks for
    /// the values of what is given, and not whether it is.
    fn is_condition_on_the_given(&self, condition: &str) -> bool {
        let mut given = false;
        for (_, name) in names(condition) {
            match name {
                "not" | "is" => return false,
                _ if !self.is_known(name) => return false,
                _ => given |= !WORDS.contains(&name),
            }
        }
        given
    }

    /// A block of the most derived template replaces that of the others, unless
    /// it shows theirs by `super()`.
    fn block(&mut self, template: &Template, node: &Node) {
        if self.is_included {
            // A template that is included keeps its own.
            return self.nodes(template, &node.body);
        }
        let name = first_word(template.code(node)).0.to_owned();
        for template in self.chain {
            let Some(block) = template.block(&name) else { continue };
            if self.depth < MAX_DEPTH {
                self.depth += 1;
                self.nodes(template, &block.body);
                self.depth -= 1;
            }
            if !shows_super(template, &block.body) {
                return;
            }
        }
    }

    fn include(&mut self, code: &str) {
        let Some((several, _)) = literal_names(code) else { return };
        let first = several.iter().find_map(|name| self.templates.template(name));
        // One that extends another has blocks of its own.
        let plain = first.filter(|first| matches!(first.extends, Extends::Nothing));
        if let Some(included) = plain.filter(|_| self.depth < MAX_DEPTH)
            && self.included.insert((included.file.clone(), self.locals.iter().cloned().collect()))
        {
            let outer = std::mem::replace(&mut self.is_included, true);
            self.depth += 1;
            self.nodes(&included, &included.nodes);
            self.depth -= 1;
            self.is_included = outer;
        }
    }
}

/// Tells whether what a block replaces is shown in any case.
fn shows_super(template: &Template, nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node.word.as_str() {
        "" => template.code(node).trim() == "super()",
        "with" | "filter" | "autoescape" => shows_super(template, &node.body),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_by(judged: Judged, files: &[(&str, &str)], given: &[&str], expected: &[&str]) {
        let read = |path: &str| {
            files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
        };
        let found = Templates::new(read).missing(files[0].0, given, judged);
        let found = found.iter().map(|it| format!("{}:{} {}", it.file, it.line, it.name));
        assert_eq!(found.collect::<Vec<_>>(), expected, "{}", files[0].1);
    }

    /// Checks what is judged, and that a page is made, or isn't, accordingly.
    #[track_caller]
    fn check(files: &[(&'static str, &'static str)], given: &[&str], expected: &[&str]) {
        check_by(Judged::Always, files, given, expected);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        for (name, text) in files {
            environment.add_template(name, text).unwrap();
        }
        let given = given.iter().map(|name| (name.to_string(), "text"));
        let given = Value::from(given.collect::<BTreeMap<_, _>>());
        let made = environment.get_template(files[0].0).unwrap().render(given);
        assert_eq!(made.is_err(), !expected.is_empty(), "{}: {made:?}", files[0].1);
    }

    #[test]
    fn what_is_shown_in_any_case_must_be_given() {
        check(
            &[("a", "{{ name }}\n{{ nmae }} {{- user.name }}")],
            &["name"],
            &["a:2 nmae", "a:2 user"],
        );
        check(
            &[("a", "{% for x in list %}{{ x }}{% endfor %}{{ name | upper }}")],
            &[],
            &["a:1 list", "a:1 name"],
        );
        check(
            &[("a", "{% if user.name %}{% endif %}{% set a = b.c %}{{ a }}")],
            &[],
            &["a:1 user", "a:1 b"],
        );
        check(
            &[("a", "{% with a = 1 %}{{ a }}{{ b }}{% endwith %}{{ a }}")],
            &[],
            &["a:1 b", "a:1 a"],
        );
        check(
            &[("a", "{% filter upper %}{{ x }}{% endfilter %}{% set y %}{{ z }}{% endset %}")],
            &[],
            &["a:1 x", "a:1 z"],
        );
        check(&[("a", "{{ a | default('') ~\n b.c }}")], &[], &["a:2 b"]);
        // Without parentheses it is no function.
        check(&[("a", "{{ position }}")], &[], &["a:1 position"]);
        // Neither a function nor an operator takes what isn't there.
        for code in [
            "position(x)",
            "'?resume=' ~ position(x)|urlencode",
            "range(x)",
            "x + 1",
            "1 * x",
            "-x",
            "[1]|batch(x)",
            "'a'|replace('a', x)",
        ] {
            let text = format!("{{{{ {code} }}}}");
            check_by(Judged::Always, &[("a", &text)], &[], &["a:1 x"]);
        }
        check(&[("a", "{{ position('/a/' ~ b) }}")], &[], &["a:1 b"]);
        // What a loop takes isn't what it gives its body, though it has the name.
        check_by(Judged::Always, &[("a", "{% for x in range(x) %}{% endfor %}")], &["x"], &[]);
        check(&[("a", "{% for x in x.y|list if x.z %}{% endfor %}")], &[], &["a:1 x"]);
    }

    #[test]
    fn what_may_be_missing_is_not_told() {
        for text in [
            "{% if x %}{{ x }}{% endif %}{% if x is defined %}{{ x.y }}{% endif %}",
            "{{ x | default('y') }} {{ x | d }} {{ x or 'y' }} {{ x if x }} {{ x is undefined }}",
            "{% if not x %}none{% else %}{{ x }}{% endif %}{% if name == 1 %}{{ x }}{% elif x %}{{ x }}{% endif %}",
            "{% if do %}{% do do.x() %}{% endif %}{{ [x] | length }} {{ range(3) | list }} {{ dict(a=1).a }}",
            "{% set x = 1 %}{{ x }}{% macro m(y, z=2) %}{{ y }}{{ z }}{% endmacro %}{{ m(1) }}",
            "{% raw %}{{ x }}{% endraw %}{# {{ x }} #}{{ \"{{ x }}\" }}",
            "{% for i in range(2) %}{{ loop.index }}{{ i }}{% endfor %}{% for i in [] %}{{ x }}{% endfor %}",
            "{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns.x }}{% set a, b = (1, 2) %}{{ a }}{{ b }}",
            "{% import 'm' as m %}{% from 'm' import k as l, n %}{{ m.x }}{{ l }}{{ n }}",
            "{% set w | upper %}a{% endset %}{{ w }}{% set v = 'a|b' %}{{ v }}",
        ] {
            check(
                &[("a", text), ("m", "{% set k = 1 %}{% set n = 2 %}{% set x = 3 %}")],
                &["name"],
                &[],
            );
        }
        // The value of what is given isn't known, nor whether it is asked first.
        check_by(Judged::Always, &[("a", "{{ name ~ x }}")], &["name"], &[]);
    }

    #[test]
    fn bodies_are_judged_where_their_condition_is_on_what_is_given() {
        let check =
            |text, given, expected| check_by(Judged::Bodies, &[("a", text)], given, expected);
        let of_users = "{% for user in users %}{{ user.name }}{{ usr.name }}{% endfor %}{{ user }}";
        check(of_users, &["users"], &["a:1 usr", "a:1 user"]);
        check("{% if users and n > 3 %}{{ x }}{% endif %}", &["users", "n"], &["a:1 x"]);
        for text in [
            "{% if users and x %}{{ x }}{% endif %}{% if users is defined %}{{ x }}{% endif %}",
            "{% if users %}{% else %}{{ x }}{% endif %}{% if not users %}{{ x }}{% endif %}",
            "{% if false %}{{ x }}{% endif %}{% for u in users %}{% else %}{{ x }}{% endfor %}",
            "{% for u in users if u.x %}{{ x }}{% endfor %}",
        ] {
            check(text, &["users"], &[]);
        }
    }

    #[test]
    fn other_templates_are_followed_as_they_are_shown() {
        let layout = (
            "layout",
            "<title>{% block title %}{{ t }}{% endblock %}</title>{{ foot }}\n\
            {% block main %}{% endblock %}{% if page == 'a' %}{{ only_a }}{% endif %}",
        );
        let child = "{% extends 'layout' %}{{ never }}{% block title %}x{% endblock %}\
            {% block main %}\n{{ x }}{% include 'part' %}{% endblock %}{% block no %}{{ never }}{% endblock %}";
        let part = (
            "part",
            "\n\n{{ y }}{% if page %}{{ z }}{% endif %}{% include 'none' ignore missing %}",
        );
        let files = [("a", child), layout, part];
        check_by(Judged::Bodies, &files, &["page"], &["layout:1 foot", "a:2 x", "part:3 y"]);
        let child =
            "{% extends 'layout' %}{% block title %}{{ super() }}{% endblock %}{% set foot = 1 %}";
        check(&[("a", child), layout], &["page"], &["layout:1 t"]);
        check(&[("a", child), layout], &["page", "t"], &[]);
        let child = "{% extends 'layout' %}{% block title %}{% if x %}{{ super() }}{% endif %}{% endblock %}";
        check(&[("a", child), layout], &["page", "foot"], &[]);
        let child =
            "{% extends 'layout' %}{% if x %}{% else %}{% block title %}{% endblock %}{% endif %}";
        check(&[("a", child), layout], &["page", "foot"], &[]);
        for text in ["{% include 'a' %}", "{% extends 'a' %}", "{% extends x %}{{ y }}"] {
            check_by(Judged::Always, &[("a", text)], &[], &[]);
        }
        let a = "{% for x in [1] %}{% include 'b' %}{% endfor %}{% include ['c', 'b'] %}";
        check(&[("a", a), ("b", "{{ x }}")], &[], &["b:1 x"]);
        let a = "{% with x = 1 %}{% include 'b' %}{% endwith %}{% include 'b' %}";
        check(&[("a", a), ("b", "{{ x }}")], &[], &["b:1 x"]);
    }

    #[test]
    fn templates_that_include_themselves_are_followed_once() {
        let a = "{% for l in left %}{% include 'a' %}{% endfor %}\
            {% if right %}{% include 'a' %}{% endif %}{% include 'b' %}";
        let b = "{% include 'b' %}{% include 'b' %}{{ x }}";
        check_by(Judged::Bodies, &[("a", a), ("b", b)], &["left", "right"], &["b:1 x"]);
    }

    /// Templates of a few variables, which nest.
    fn any_template() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec!["a", "b", "c", "d"]);
        let value = (name.clone(), name.clone(), 0..14).prop_map(|(one, other, kind)| match kind {
            0 => format!("{one} | default({other})"),
            1 => format!("{one} or {other}"),
            2 => format!("{one} and {other}"),
            3 => format!("{one} if {other}"),
            4 => format!("{one} is defined"),
            5 => format!("[{one}, {other}] | length"),
            6 => format!("{one}.x"),
            7 => format!("{one} ~ {other}"),
            8 => format!("not {one}"),
            9 => format!("{one} | upper"),
            10 => format!("range({one}) | length"),
            11 => format!("{one} + {other}"),
            _ => one.to_owned(),
        });
        let leaf = (value.clone(), name.clone(), 0..9).prop_map(|(value, name, kind)| match kind {
            3 => "{{ super() }}".to_owned(),
            0 => format!("{{% set {name} = {value} %}}"),
            1 => "{% include 'part' %}".to_owned(),
            2 => format!("{{% set {name} %}}{{{{ {value} }}}}{{% endset %}}"),
            _ => format!("{{{{ {value} }}}}"),
        });
        leaf.prop_recursive(3, 12, 3, move |inner| {
            let several = prop::collection::vec(inner, 0..3).prop_map(|parts| parts.concat());
            let parts = (several.clone(), several, value.clone(), name.clone(), 0..8);
            parts.prop_map(|(one, other, value, name, kind)| match kind {
                0 => format!("{{% if {value} %}}{one}{{% else %}}{other}{{% endif %}}"),
                1 => format!("{{% for {name} in [{value}] %}}{one}{{% endfor %}}{other}"),
                2 => format!("{{% for {name} in {name}s %}}{one}{{% else %}}{other}{{% endfor %}}"),
                3 => format!("{{% with {name} = {value} %}}{one}{{% endwith %}}{other}"),
                4 => format!("{{% block {name} %}}{one}{{% endblock %}}{other}"),
                5 => format!("{{% macro {name}(x) %}}{one}{{% endmacro %}}{other}"),
                6 => format!("{{% filter upper %}}{one}{{% endfilter %}}{other}"),
                _ => format!("{one}{other}"),
            })
        })
    }

    proptest! {
        /// Whatever is judged in any case fails, whatever is given.
        #[test]
        fn no_page_that_can_be_made_is_refused(
            page in any_template(),
            part in any_template(),
            layout in any_template(),
            extends: bool,
            given in prop::sample::subsequence(vec!["a", "b", "c", "d"], 0..=4),
        ) {
            let page = if extends { format!("{{% extends 'layout' %}}{page}") } else { page };
            let files = [("page", page), ("part", part.replace("'part'", "'none' ignore missing")), ("layout", layout)];
            let mut environment = Environment::new();
            environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
            for (name, text) in &files {
                // A block may stand there twice.
                if environment.add_template(name, text).is_err() {
                    return Ok(());
                }
            }
            let read = |path: &str| {
                files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.clone())
            };
            let missing = Templates::new(read).missing("page", &given, Judged::Always);
            for value in [Value::from("text"), Value::from(0), Value::from(vec![1])] {
                let given = given.iter().map(|name| (name.to_string(), value.clone()));
                let given = Value::from(given.collect::<BTreeMap<_, _>>());
                let made = environment.get_template("page").unwrap().render(given);
                prop_assert!(missing.is_empty() || made.is_err(), "{files:?} {missing:?}");
            }
        }
    }
}
