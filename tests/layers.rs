//! The layers of the libraries: each module imports only from lower layers,
//! from where an item is defined, and no modules of one folder import each
//! other.
//!
//! A folder is one module to those around it. Tests may import anything.

#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pode_test_crates::repository;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// From the lowest to the highest; modules of one line don't know each other.
const RUNTIME: &[&[&str]] = &[
    &["base"],
    &["net"],
    &["http"],
    &["content", "jobs", "push", "upstream"],
    &["app"],
    &["backplane", "signal", "web"],
    &["server"],
    &["test"],
];

#[test]
fn the_runtime_is_made_of_layers() {
    let mut wrong = BTreeMap::new();
    let library = Library::read("pode-runtime");
    let level = |module: &str| RUNTIME.iter().position(|layers| layers.contains(&module));
    for import in &library.imports {
        let (from, to) = (&import.from[0], &import.to[0]);
        match (level(from), level(to)) {
            (Some(lower), Some(upper)) if from == to || upper < lower => {}
            (Some(_), Some(_)) => {
                let why = format!("`{from}` is not above `{to}`: {import}");
                wrong.insert(format!("{from} -> {to}"), why);
            }
            _ => panic!("a module that is no layer: {import}"),
        }
    }
    wrong.extend(library.circles(1));
    let mut wrong: Vec<String> = wrong.into_values().collect();
    wrong.extend(library.from_the_root);
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// It gets open connections and encoded messages.
#[test]
fn the_engine_knows_nothing_of_http() {
    let push = ["push".to_owned()];
    let library = Library::read("pode-runtime");
    let mut wrong: Vec<String> = library
        .imports
        .iter()
        .filter(|import| import.from.starts_with(&push) && import.to[0] == "http")
        .map(ToString::to_string)
        .collect();
    let mut files = Vec::new();
    let folder = repository().join("pode-runtime/src/push");
    collect(&folder, &mut push.to_vec(), &mut files);
    for (_, file, tokens) in files {
        let foreign = ["http", "hyper", "hyper_util", "warp"];
        wrong.extend(
            foreign
                .iter()
                .filter(|name| names(tokens.clone(), name))
                .map(|name| format!("{file} knows of {name}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_modules_of_the_vocabulary_import_each_other() {
    Library::read("pode-core").is_sound();
}

#[test]
fn no_modules_of_the_macro_import_each_other() {
    Library::read("pode-macros").is_sound();
}

/// Users import from `pode` alone: no page can be copied, and no message understood,
/// that names the crates behind it. (Paths in the compiler's own notes can't be
/// helped.)
#[test]
fn what_users_read_names_only_the_facade() {
    let mut wrong = Vec::new();
    for library in ["src", "pode-core/src", "pode-macros/src", "pode-runtime/src"] {
        let mut files = Vec::new();
        collect(&repository().join(library), &mut Vec::new(), &mut files);
        for (_, file, tokens) in files {
            texts(tokens, &mut |text| {
                // A hidden line of an example.
                if names_inside(text) && !text.contains("\" # ") {
                    wrong.push(format!("{file}: {text}"));
                }
            });
        }
    }
    for stage in ["syntax", "resolve", "check", "feature"] {
        for entry in fs::read_dir(repository().join("tests/ui").join(stage)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "stderr")
                && names_inside(&fs::read_to_string(&path).unwrap())
            {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn names_inside(text: &str) -> bool {
    ["pode_core", "pode_macros", "pode_runtime"].iter().any(|name| text.contains(name))
}

/// Calls a function for each literal; the lines of documentation are some, too.
fn texts(tokens: TokenStream, seen: &mut impl FnMut(&str)) {
    for token in tokens {
        match token {
            TokenTree::Literal(literal) => seen(&literal.to_string()),
            TokenTree::Group(group) => texts(group.stream(), seen),
            _ => {}
        }
    }
}

type Module = Vec<String>;

/// An import of one module of a library by another.
struct Import {
    file: String,
    from: Module,
    to: Module,
}

impl std::fmt::Display for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} imports crate::{}", self.file, self.to.join("::"))
    }
}

#[derive(Default)]
struct Library {
    modules: BTreeSet<Module>,
    /// Re-exported imports, by module and name.
    handed_on: BTreeMap<Module, Module>,
    imports: Vec<Import>,
    from_the_root: Vec<String>,
}

impl Library {
    fn read(name: &str) -> Library {
        let source = repository().join(name).join("src");
        let mut files = Vec::new();
        collect(&source, &mut Vec::new(), &mut files);
        let mut library = Library::default();
        library.modules.extend(files.iter().map(|(module, ..)| module.clone()));
        let mut paths = Vec::new();
        for (module, file, tokens) in files {
            let (mut found, mut uses) = (Vec::new(), Vec::new());
            scan(tokens, &mut found, &mut uses);
            for (path, name) in uses {
                if let Some(path) = library.absolute(&module, &path) {
                    library.handed_on.insert([&module[..], &[name]].concat(), path);
                }
            }
            paths.extend(found.into_iter().map(|path| (module.clone(), file.clone(), path)));
        }
        for (from, file, path) in paths {
            let Some(to) = library.absolute(&from, &path) else { continue };
            // The root itself consists of all modules.
            if from.is_empty() {
                continue;
            }
            if !library.modules.iter().any(|module| module.first() == to.first()) {
                library.from_the_root.push(format!("{file} imports {}", path.join("::")));
            } else if let Some(to) = library.defining(to)
                && to != from
            {
                library.imports.push(Import { file, from, to });
            }
        }
        library
    }

    /// Returns a path relative to the root, if it leads into this library.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Module> {
        let mut at = match path[0].as_str() {
            "crate" => Vec::new(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            "self" => from.clone(),
            child => {
                let child = [&from[..], &[child.to_owned()]].concat();
                return self.modules.contains(&child).then(|| [&child[..], &path[1..]].concat());
            }
        };
        for segment in &path[1..] {
            if segment == "super" {
                at.pop()?;
            } else {
                at.push(segment.clone());
            }
        }
        Some(at)
    }

    /// Returns the module that defines an item.
    fn defining(&self, mut path: Module) -> Option<Module> {
        for _ in 0..10 {
            let length = (0..=path.len()).rev().find(|it| self.modules.contains(&path[..*it]))?;
            let Some(name) = path.get(length) else { return Some(path) };
            let module = path[..length].to_vec();
            match self.handed_on.get(&[&module[..], std::slice::from_ref(name)].concat()) {
                Some(from) if *from != path => path = from.clone(),
                _ => return Some(module),
            }
        }
        None
    }

    #[track_caller]
    fn is_sound(&self) {
        let mut wrong = self.from_the_root.clone();
        wrong.extend(self.circles(0).into_values());
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }

    /// Finds modules of a folder that depend on each other, in folders of that
    /// depth and below: each import that is part of a cycle, and why.
    fn circles(&self, depth: usize) -> BTreeMap<String, String> {
        let mut wrong = BTreeMap::new();
        let folders: BTreeSet<&[String]> =
            self.modules.iter().filter_map(|it| Some(it.split_last()?.1)).collect();
        let folders = folders.into_iter().filter(|folder| folder.len() >= depth);
        for folder in folders {
            let mut arrows: BTreeMap<&str, BTreeMap<&str, &Import>> = BTreeMap::new();
            for import in &self.imports {
                let child = |it: &'_ Module| it.starts_with(folder) && it.len() > folder.len();
                if child(&import.from) && child(&import.to) {
                    let (from, to) = (&import.from[folder.len()], &import.to[folder.len()]);
                    if from != to {
                        arrows.entry(from).or_default().entry(to).or_insert(import);
                    }
                }
            }
            // Removes modules that depend on no remaining one, until all that
            // remain are in a cycle or above one; then the same from above.
            while let Some(last) = arrows
                .keys()
                .find(|from| !arrows[*from].keys().any(|to| arrows.contains_key(to)))
                .copied()
            {
                arrows.remove(last);
            }
            while let Some(first) =
                arrows.keys().find(|to| !arrows.values().any(|of| of.contains_key(*to))).copied()
            {
                arrows.remove(first);
            }
            for (from, tos) in &arrows {
                for (to, import) in tos.iter().filter(|(to, _)| arrows.contains_key(*to)) {
                    let folder = folder.join("::");
                    let why = format!("a circle in `{folder}`, {from} -> {to}: {import}");
                    wrong.insert(format!("{folder}::{{{from} -> {to}}}"), why);
                }
            }
        }
        wrong
    }
}

/// Collects the modules below a folder, except for tests.
fn collect(folder: &Path, at: &mut Module, files: &mut Vec<(Module, String, TokenStream)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "tests" {
            continue;
        }
        at.push(name.clone());
        if path.is_dir() {
            collect(&path, at, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let module = match name.as_str() {
                "lib" | "mod" => at[..at.len() - 1].to_vec(),
                _ => at.clone(),
            };
            let text = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(repository()).unwrap().display().to_string();
            files.push((module, file, text.parse().unwrap()));
        }
        at.pop();
    }
}

/// Tells whether a word occurs in some code.
fn names(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == name,
        TokenTree::Group(group) => names(group.stream(), name),
        _ => false,
    })
}

/// Finds the paths in some code: `crate::…`, `super::…` and those of `use`,
/// including their last names.
fn scan(tokens: TokenStream, paths: &mut Vec<Vec<String>>, uses: &mut Vec<(Vec<String>, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            // Code that only tests or the documentation need.
            TokenTree::Punct(sign) if sign.as_char() == '#' && is_apart(tokens.get(at + 1)) => {
                while !ends_item(tokens.get(at)) {
                    at += 1;
                }
            }
            TokenTree::Ident(word) if word == "use" => {
                let mut found = Vec::new();
                path(&tokens, &mut (at + 1), &[], &mut found);
                uses.extend(found.iter().map(|(path, name)| (path.clone(), name.clone())));
                paths.extend(found.into_iter().map(|(path, _)| path));
                while !ends_item(tokens.get(at)) {
                    at += 1;
                }
            }
            TokenTree::Ident(word) if word == "crate" || word == "super" => {
                let mut found = Vec::new();
                path(&tokens, &mut at, &[], &mut found);
                // `pub(crate)` is not a path.
                paths.extend(found.into_iter().map(|(path, _)| path).filter(|it| it.len() > 1));
                continue;
            }
            // A module within the file has its own `super`.
            TokenTree::Ident(word) if word == "mod" => {
                if let Some(TokenTree::Group(group)) = tokens.get(at + 2) {
                    let mut found = Vec::new();
                    scan(group.stream(), &mut found, &mut Vec::new());
                    paths.extend(found.into_iter().filter(|path| path[0] == "crate"));
                    at += 2;
                }
            }
            TokenTree::Group(group) => scan(group.stream(), paths, uses),
            _ => {}
        }
        at += 1;
    }
}

fn is_apart(attribute: Option<&TokenTree>) -> bool {
    let written = attribute.map(|it| it.to_string().replace(' ', ""));
    written.as_deref() == Some("[cfg(test)]")
}

fn ends_item(token: Option<&TokenTree>) -> bool {
    match token {
        None => true,
        Some(TokenTree::Punct(sign)) => sign.as_char() == ';',
        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Brace,
        Some(_) => false,
    }
}

/// Reads the paths of a tree such as `a::{b, c::d as e}`, each with the name
/// that it gets.
fn path(
    tokens: &[TokenTree],
    at: &mut usize,
    before: &[String],
    found: &mut Vec<(Vec<String>, String)>,
) {
    let mut path = before.to_vec();
    loop {
        match tokens.get(*at) {
            Some(TokenTree::Ident(word)) if word == "as" => {
                *at += 1;
                let name = tokens[*at].to_string();
                *at += 1;
                return found.push((path, name));
            }
            Some(TokenTree::Ident(word)) if word == "self" && !path.is_empty() => *at += 1,
            Some(TokenTree::Ident(word)) => {
                path.push(word.to_string());
                *at += 1;
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                *at += 1;
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let mut place = 0;
                while place < inner.len() {
                    self::path(&inner, &mut place, &path, found);
                    place += 1;
                }
                return;
            }
            _ => break,
        }
        let is_colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(sign)) if sign.as_char() == ':');
        if !(is_colon(tokens.get(*at)) && is_colon(tokens.get(*at + 1))) {
            if matches!(tokens.get(*at), Some(TokenTree::Ident(word)) if word == "as") {
                continue;
            }
            break;
        }
        *at += 2;
    }
    let name = path.last().cloned().unwrap_or_default();
    if !path.is_empty() {
        found.push((path, name));
    }
}
