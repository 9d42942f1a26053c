//! What templates print where the escaping for HTML doesn't protect: in scripts,
//! styles, tags, and attributes without quotes.
//!
//! A view is followed as it is printed, through what it extends, includes and calls,
//! so that each value is seen where it stands in the page. There, the syntax of its
//! expression must say that it is safe: what a name stands for is never looked at.
//! What can't be followed is refused.
//!
//! `place` reads HTML, `script` JavaScript, `expression` what is printed; `calls`
//! follows what that calls.

mod calls;
mod expression;
mod place;
mod script;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use minijinja::Environment;

use self::expression::{Printed, printed};
use self::place::States;
use super::names::{POSITION, names};
use super::position::is_the_function;
use super::template::{first_word, names as literal_names};
use super::tree::{Extends, Node, TEXT, Template};

/// An expression or a statement by which a client's value may end the text in which
/// it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsafe {
    /// The file in which it stands, as its folder names it.
    pub file: String,
    /// The line in which it stands, counted from 1.
    pub line: usize,
    /// The statement's word; empty for an expression.
    pub word: String,
    /// Its code, behind the word.
    pub code: String,
    /// Where its value stands.
    pub spot: Spot,
    /// The view that shows it.
    pub view: String,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// Where escaped text is safe.
    Text,
    /// In the code of a script.
    Script,
    /// In quotes of a script.
    Quotes,
    /// In a comment or a regular expression of a script, or where it isn't followed.
    NoCode,
    /// In a style.
    Style,
    /// In an attribute `style`.
    StyleAttribute,
    /// In the value of this attribute, which isn't quoted.
    Unquoted(String),
    /// In double quotes of this attribute, as JSON.
    DoubleQuotes(String),
    /// In the name of a tag or an attribute, or between attributes.
    Name,
    /// In `srcdoc`.
    Document,
    /// In this attribute, where it says which script is run.
    Address(String),
    /// As JSON in a name, which may be printed anywhere.
    Kept,
    /// Anywhere: the name of another template is known only at run time.
    Computed,
    /// Anywhere: where the page goes on depends on too much.
    Unclear,
    /// In itself.
    Itself,
    /// Nowhere: the file isn't understood.
    Unread,
}

type Read<'read> = Box<dyn Fn(&str) -> Option<&'read str> + 'read>;

/// Finds what the views of a folder print where it isn't safe.
pub struct Values<'read> {
    read: Read<'read>,
    /// Whether browsers run scripts in attributes.
    runs_attributes: bool,
    /// `None` is one that isn't there, or isn't understood.
    known: HashMap<String, Option<Rc<Template>>>,
    /// What was found so far, each once.
    seen: HashSet<(String, usize)>,
    found: Vec<Unsafe>,
    view: String,
    /// Whether `position` is the function in it; `None` before that is asked.
    has_positions: Option<bool>,
    /// The templates, macros and blocks in which the walk is.
    entered: Vec<Entered>,
    /// How many nodes may still be walked for this view.
    left: usize,
}

struct Entered {
    what: String,
    states: States,
    /// Whether it prints itself, at a place of the same states: then it must end
    /// as it begins.
    again: bool,
}

/// The most nodes that are walked for a view.
const MAX_NODES: usize = 50_000;

/// The deepest that something prints itself, at places of other states.
const MAX_AGAIN: usize = 4;

/// Statements that give a name to what they are given, or print it changed.
const KEEP: [&str; 7] = ["set", "with", "for", "call", "macro", "do", "filter"];

/// What a piece of a template can refer to.
#[derive(Clone, Default)]
struct Scope {
    /// From the view to the one that extends nothing.
    chain: Rc<[Rc<Template>]>,
    /// Those that include it, the nearest last, and its own chain.
    visible: Rc<[Rc<Template>]>,
    /// The name of the block, and its template's index in the chain.
    block: Option<(String, usize)>,
    /// What `caller()` prints.
    caller: Option<Caller>,
    /// Whether it stands in a loop.
    is_loop: bool,
    /// Whether a filter changes what is printed.
    is_filtered: bool,
    /// Whether what is printed gets a name.
    is_kept: bool,
    /// Whether nothing is printed: only names are given.
    is_silent: bool,
}

/// The template and the start of a `call`, whose body is printed in its scope.
type Caller = Rc<(Rc<Template>, usize, Scope)>;

impl Scope {
    /// What stands in a macro or in another template sees neither block nor loop.
    fn inner(&self, caller: Option<Caller>) -> Scope {
        Scope { caller, block: None, is_loop: false, ..self.clone() }
    }
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Values").field("found", &self.found).finish_non_exhaustive()
    }
}

impl<'read> Values<'read> {
    /// Makes the views of a folder; `read` returns the text of a file by its path
    /// below the folder.
    pub fn new(
        read: impl Fn(&str) -> Option<&'read str> + 'read,
        runs_attributes: bool,
    ) -> Values<'read> {
        let (known, seen, found, view, has_positions, entered) = Default::default();
        let read = Box::new(read);
        let left = 0;
        Values { read, runs_attributes, known, seen, found, view, has_positions, entered, left }
    }

    /// Finds it in a view; what was found in another isn't told again.
    pub fn unsafe_in(&mut self, view: &str) -> Vec<Unsafe> {
        view.clone_into(&mut self.view);
        self.has_positions = None;
        self.left = MAX_NODES;
        // A page without templates' tags prints nothing.
        let has_tags = |text: &str| text.contains("{{") || text.contains("{%");
        if (self.read)(view).is_some_and(has_tags) {
            self.template(view, &Scope::default(), States::begin());
        }
        let mut found = std::mem::take(&mut self.found);
        found.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
        found
    }

    fn read(&mut self, file: &str) -> Option<Rc<Template>> {
        if let Some(known) = self.known.get(file) {
            return known.clone();
        }
        let text = (self.read)(file)?;
        let template = Template::of(file, text.to_owned()).map(Rc::new);
        // One that can't be parsed is told of as such.
        if template.is_none() && Environment::new().template_from_str(text).is_ok() {
            let (file, view) = (file.to_owned(), self.view.clone());
            let (word, code) = Default::default();
            self.found.push(Unsafe { file, line: 1, word, code, spot: Spot::Unread, view });
        }
        self.known.insert(file.to_owned(), template.clone());
        template
    }

    fn tell(&mut self, template: &Template, node: &Node, spot: Spot) {
        let at = node.code.start;
        if self.seen.insert((template.file.clone(), at)) {
            let (word, code) = match node.word.as_str() {
                TEXT => (String::new(), "…".to_owned()),
                word => (word.to_owned(), template.code(node).trim().to_owned()),
            };
            let (file, line) = (template.file.clone(), template.line(at));
            let view = self.view.clone();
            self.found.push(Unsafe { file, line, word, code, spot, view });
        }
    }

    /// Walks through a whole template, and those that it extends.
    fn template(&mut self, file: &str, outer: &Scope, states: States) -> States {
        let Some(template) = self.read(file) else { return states };
        let mut behind = States::default();
        let mut chains = vec![vec![template]];
        while let Some(chain) = chains.pop() {
            let last = &chain[chain.len() - 1];
            let parents = match &last.extends {
                Extends::Nothing => {
                    behind.add(self.chain(chain, outer, states.clone()));
                    continue;
                }
                Extends::Unknown => {
                    if let Some(node) = last.find(|node| node.word == "extends") {
                        let last = Rc::clone(last);
                        self.tell(&last, node, Spot::Computed);
                    }
                    continue;
                }
                Extends::FirstOf(names) => names.clone(),
            };
            for parent in parents {
                let again = chain.iter().any(|template| template.file == parent);
                if let Some(parent) = self.read(&parent).filter(|_| !again) {
                    chains.push([&chain[..], &[parent]].concat());
                }
            }
        }
        behind
    }

    fn chain(&mut self, chain: Vec<Rc<Template>>, outer: &Scope, mut states: States) -> States {
        let visible = outer.visible.iter().chain(chain.iter().rev()).cloned().collect();
        let scope = Scope { chain: chain.into(), visible, ..outer.inner(None) };
        let Some((root, children)) = scope.chain.split_last() else { return states };
        for child in children {
            // Up to there, it is shown.
            let extends = child.nodes.iter().position(|node| node.word == "extends");
            let (shown, rest) = child.nodes.split_at(extends.unwrap_or_default());
            let what = format!("template {}", child.file);
            states = self.enter(what, (child, None), states, |walk, states| {
                walk.nodes(child, shown, &scope, states)
            });
            let silent = Scope { is_silent: true, ..scope.clone() };
            self.nodes(child, rest, &silent, States::begin());
        }
        let what = format!("template {}", root.file);
        self.enter(what, (root, None), states, |walk, states| {
            walk.nodes(root, &root.nodes, &scope, states)
        })
    }

    /// Walks through what may print itself.
    fn enter(
        &mut self,
        what: String,
        (template, node): (&Template, Option<&Node>),
        states: States,
        walk: impl FnOnce(&mut Self, States) -> States,
    ) -> States {
        let mut again = self.entered.iter_mut().filter(|entered| entered.what == what);
        if let Some(same) = again.find(|entered| entered.states == states) {
            same.again = true;
            return states;
        }
        let times = self.entered.iter().filter(|entered| entered.what == what).count();
        let node = node.or(template.nodes.first());
        if times == MAX_AGAIN {
            if let Some(node) = node {
                self.tell(template, node, Spot::Unclear);
            }
            return states;
        }
        self.entered.push(Entered { what, states: states.clone(), again: false });
        let behind = walk(self, states);
        let entered = self.entered.pop();
        if let Some(node) = node
            && entered.is_some_and(|entered| entered.again && entered.states != behind)
        {
            self.tell(template, node, Spot::Unclear);
        }
        behind
    }

    fn nodes(
        &mut self,
        template: &Rc<Template>,
        nodes: &[Node],
        scope: &Scope,
        states: States,
    ) -> States {
        nodes.iter().fold(states, |states, node| self.node(template, node, scope, states))
    }

    fn node(
        &mut self,
        template: &Rc<Template>,
        node: &Node,
        scope: &Scope,
        mut states: States,
    ) -> States {
        let code = template.code(node);
        let word = node.word.as_str();
        match self.left {
            0 => return states,
            1 => self.tell(template, node, Spot::Unclear),
            _ => {}
        }
        self.left -= 1;
        // Its quotes would be anywhere.
        if KEEP.contains(&word) && code.contains("tojson") {
            self.tell(template, node, Spot::Kept);
        }
        let is_call = || word.is_empty() && matches!(printed(code)[..], [Printed::Call(_)]);
        if word != TEXT && code.contains("self") && !is_call() {
            // What is done with a block isn't known, but it is shown.
            for (at, _) in names(code).filter(|(_, name)| *name == "self") {
                let behind = code[at + "self".len()..].trim_start().strip_prefix('.');
                let block = first_word(behind.unwrap_or_default()).0;
                self.block(block, 0, scope, (template, node), States::begin());
            }
        }
        match word {
            TEXT | "" | "block" | "include" if scope.is_silent => states,
            TEXT => states.read(code, self.runs_attributes),
            "" => self.print(template, node, scope, states),
            "if" => {
                let mut behind = self.nodes(template, &node.body, scope, states.clone());
                for branch in &node.otherwise {
                    behind.add(self.nodes(template, &branch.nodes, scope, states.clone()));
                }
                if !node.otherwise.last().is_some_and(|last| last.is_else) {
                    behind.add(states);
                }
                self.bounded(template, node, behind)
            }
            "for" => {
                let begin = states.clone();
                let inner = Scope { is_loop: true, ..scope.clone() };
                loop {
                    let before = states.clone();
                    states.add(self.nodes(template, &node.body, &inner, before.clone()));
                    if states == before || states.are_too_many() {
                        break;
                    }
                }
                for branch in &node.otherwise {
                    states.add(self.nodes(template, &branch.nodes, scope, begin.clone()));
                }
                self.bounded(template, node, states)
            }
            "with" | "autoescape" => self.nodes(template, &node.body, scope, states),
            "filter" => {
                let scope = Scope { is_filtered: true, ..scope.clone() };
                self.nodes(template, &node.body, &scope, states)
            }
            "set" => {
                let scope = Scope { is_kept: true, is_silent: false, ..scope.clone() };
                let behind = self.nodes(template, &node.body, &scope, States::begin());
                // It may be printed as text.
                if !behind.is_text() {
                    self.tell(template, node, Spot::Unclear);
                }
                states
            }
            // By another name it may be printed, too.
            "macro" => {
                let scope = Scope { is_silent: false, ..scope.inner(None) };
                self.nodes(template, &node.body, &scope, States::begin());
                states
            }
            "block" => self.block(first_word(code).0, 0, scope, (template, node), states),
            "call" => {
                let inner = Rc::new((Rc::clone(template), node.code.start, scope.clone()));
                let call = match code.trim().strip_prefix('(') {
                    Some(parameters) => parameters.split_once(')').map_or("", |(_, call)| call),
                    None => code,
                };
                let behind = match printed(call)[..] {
                    [Printed::Call(name)] => {
                        self.macros(name, Some(inner), scope, (template, node), &states)
                    }
                    _ => None,
                };
                behind.unwrap_or_else(|| {
                    self.tell(template, node, Spot::Unclear);
                    states
                })
            }
            "include" => match literal_names(code) {
                Some((names, may_be_missing)) => {
                    let mut behind = States::default();
                    let mut is_shown = false;
                    for name in names {
                        if self.read(&name).is_some() {
                            is_shown = true;
                            behind.add(self.template(&name, scope, states.clone()));
                        }
                    }
                    if may_be_missing || !is_shown {
                        behind.add(states);
                    }
                    self.bounded(template, node, behind)
                }
                None => {
                    self.tell(template, node, Spot::Computed);
                    states
                }
            },
            "import" | "from" => {
                match literal_names(code) {
                    Some((names, _)) => {
                        for name in names {
                            let Some(imported) = self.read(&name) else { continue };
                            // Others are views, and are walked as such.
                            if !name.ends_with(".html") {
                                let silent = Scope { is_silent: true, ..Scope::default() };
                                let what = format!("import {name}");
                                self.enter(what, (&imported, None), States::begin(), |walk, it| {
                                    walk.nodes(&imported, &imported.nodes, &silent, it)
                                });
                            }
                        }
                    }
                    None => self.tell(template, node, Spot::Computed),
                }
                states
            }
            _ => states,
        }
    }

    /// Goes on with one state if there are too many.
    fn bounded(&mut self, template: &Template, node: &Node, states: States) -> States {
        if states.are_too_many() {
            self.tell(template, node, Spot::Unclear);
            return States::begin();
        }
        states
    }

    fn print(
        &mut self,
        template: &Rc<Template>,
        node: &Node,
        scope: &Scope,
        states: States,
    ) -> States {
        let code = template.code(node);
        let mut behind = States::default();
        for mut alternative in printed(code) {
            match alternative {
                Printed::Count => {
                    alternative = if scope.is_loop { Printed::Own } else { Printed::Any };
                }
                Printed::Call(POSITION) if self.has_positions() => {
                    alternative = Printed::Position;
                }
                _ => {}
            }
            let called = match alternative {
                Printed::Call(name) => self.called(name, scope, (template, node), &states),
                _ => None,
            };
            if let Some(called) = called {
                // As for `set`.
                if code.contains("tojson") {
                    self.tell(template, node, Spot::Kept);
                }
                behind.add(called);
                continue;
            }
            let (next, spots) = states.clone().print();
            behind.add(next);
            if scope.is_kept && alternative == Printed::Filtered("tojson") {
                self.tell(template, node, Spot::Kept);
            }
            for spot in spots {
                if !is_safe(&spot, alternative, code, scope.is_filtered) {
                    self.tell(template, node, spot);
                }
            }
        }
        self.bounded(template, node, behind)
    }

    /// Tells whether `position` is the function in this view.
    fn has_positions(&mut self) -> bool {
        let Values { read, view, .. } = self;
        *self.has_positions.get_or_insert_with(|| is_the_function(view, |file| read(file)))
    }
}

/// Tells whether what is printed can't end the text in which it stands.
fn is_safe(spot: &Spot, printed: Printed<'_>, code: &str, is_filtered: bool) -> bool {
    let is_text = matches!(spot, Spot::Text | Spot::DoubleQuotes(_));
    match printed {
        Printed::Own | Printed::Filtered("int" | "float" | "length" | "count") => true,
        _ if is_filtered && !is_text => false,
        // So the user says.
        Printed::Filtered("safe") => true,
        Printed::Filtered("tojson") => matches!(spot, Spot::Text | Spot::Script),
        Printed::Filtered("urlencode") | Printed::Position
            if matches!(spot, Spot::Unquoted(_) | Spot::Quotes) =>
        {
            true
        }
        // What is JSON within has quotes.
        _ => is_text && (*spot == Spot::Text || !code.contains("tojson")),
    }
}
