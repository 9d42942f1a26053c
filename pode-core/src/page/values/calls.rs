//! What calls print: blocks, macros, and the bodies of `call`.

use std::rc::Rc;

use super::place::States;
use super::{Caller, Scope, Spot, Values};
use crate::page::names::{binds, binds_within, names};
use crate::page::template::names as literal_names;
use crate::page::tree::{Node, Template};

impl Values<'_> {
    /// Walks through what a call prints; `None` if that is a value.
    pub(super) fn called(
        &mut self,
        name: &str,
        scope: &Scope,
        at: (&Rc<Template>, &Node),
        states: &States,
    ) -> Option<States> {
        match name.split_once('.').map_or((name, ""), |(one, rest)| (one.trim(), rest.trim())) {
            ("super", "") => {
                let (block, index) = scope.block.clone()?;
                Some(self.block(&block, index + 1, scope, at, states.clone()))
            }
            ("self", block) => Some(self.block(block, 0, scope, at, states.clone())),
            ("caller", "") => {
                // Without one, nothing is printed.
                let Some(caller) = scope.caller.clone() else { return Some(states.clone()) };
                let (template, start, scope) = &*caller;
                let node =
                    template.find(|node| node.code.start == *start && node.word == "call")?;
                Some(self.nodes(template, &node.body, scope, states.clone()))
            }
            // The body of the loop, which begins and ends in text.
            ("loop", "") => {
                if !states.is_text() {
                    self.tell(at.0, at.1, Spot::Unclear);
                }
                Some(states.clone())
            }
            _ => self.macros(name, None, scope, at, states),
        }
    }

    /// Walks through a block of the chain, from this index on: the most derived one
    /// replaces the others.
    pub(super) fn block(
        &mut self,
        name: &str,
        from: usize,
        scope: &Scope,
        (by, node): (&Rc<Template>, &Node),
        states: States,
    ) -> States {
        let chain = Rc::clone(&scope.chain);
        let mut templates = chain.iter().enumerate().skip(from);
        let found = templates.find_map(|(index, it)| Some((index, it, it.block(name)?)));
        let Some((index, template, block)) = found else { return states };
        let what = format!("block {name} {index} {}", template.file);
        if self.entered.iter().any(|entered| entered.what == what) {
            self.tell(by, node, Spot::Itself);
            return states;
        }
        let inner =
            Scope { block: Some((name.to_owned(), index)), is_loop: false, ..scope.clone() };
        self.enter(what, (template, Some(block)), states, |walk, states| {
            walk.nodes(template, &block.body, &inner, states)
        })
    }

    /// Walks through the macros that may have this name; `None` if it may be that of
    /// something else.
    pub(super) fn macros(
        &mut self,
        name: &str,
        caller: Option<Caller>,
        scope: &Scope,
        (by, node): (&Rc<Template>, &Node),
        states: &States,
    ) -> Option<States> {
        let visible = Rc::clone(&scope.visible);
        let nearest = std::iter::once(by).chain(visible.iter().rev());
        let mut meant = nearest.map(|template| self.named(template, name));
        let meant = meant.find(|meant| !meant.is_empty())?;
        let mut behind = States::default();
        for (template, name) in meant {
            let what = format!("macro {name} {}", template.file);
            let inner = scope.inner(caller.clone());
            for found in template.all().into_iter().filter(|node| is_macro(&template, node, &name))
            {
                let place = (&*template, Some(found));
                behind.add(self.enter(what.clone(), place, states.clone(), |walk, states| {
                    walk.nodes(&template, &found.body, &inner, states)
                }));
            }
        }
        Some(self.bounded(by, node, behind))
    }

    /// Returns the templates and the names of the macros that may have this name in a
    /// template; none if it also gives the name to something else.
    fn named(&mut self, template: &Rc<Template>, name: &str) -> Vec<(Rc<Template>, String)> {
        let (module, name) = match name.split_once('.') {
            Some((module, name)) => (Some(module.trim()), name.trim()),
            None => (None, name),
        };
        let bound = module.unwrap_or(name);
        let mut found = Vec::new();
        let mut files = Vec::new();
        for node in template.all() {
            let code = template.code(node);
            let words = || names(code).map(|(_, name)| name);
            let imported = || literal_names(code).map_or(Vec::new(), |(files, _)| files);
            let is_other = match (node.word.as_str(), module) {
                ("set", _) => binds("set", code).any(|name| name == bound),
                ("for" | "with", _) => binds_within(&node.word, code).contains(&bound),
                ("macro", _) => words().skip(1).any(|name| name == bound),
                ("import", Some(module)) if words().last() == Some(module) => {
                    files.extend(imported().into_iter().map(|file| (file, name.to_owned())));
                    false
                }
                ("from", None) => {
                    let words: Vec<&str> = words().skip_while(|word| *word != "import").collect();
                    let original = match words.iter().rposition(|word| *word == name) {
                        // `one as other`
                        Some(at @ 3..) if words[at - 1] == "as" => Some(words[at - 2]),
                        Some(at @ 1..) => Some(words[at]),
                        _ => None,
                    };
                    if let Some(original) = original {
                        files.extend(imported().into_iter().map(|it| (it, original.to_owned())));
                    }
                    false
                }
                _ => false,
            };
            if is_other {
                return Vec::new();
            }
        }
        if module.is_none() && template.find(|node| is_macro(template, node, name)).is_some() {
            found.push((Rc::clone(template), name.to_owned()));
        }
        for (file, name) in files {
            found.extend(self.read(&file).map(|template| (template, name)));
        }
        found
    }
}

fn is_macro(template: &Template, node: &Node, name: &str) -> bool {
    let named = || template.code(node).split('(').next().unwrap_or_default().trim();
    node.word == "macro" && named() == name
}
