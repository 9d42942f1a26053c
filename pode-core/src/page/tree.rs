//! A template as a tree of its statements, with the text between them.

use std::ops::Range;

use super::line_at;
use super::names::binds;
use super::template::{Tag, first_word, names as literal_names, tags};

/// A template, read as a tree of its statements.
pub(super) struct Template {
    pub(super) file: String,
    pub(super) text: String,
    pub(super) nodes: Vec<Node>,
    pub(super) extends: Extends,
    /// The names that it includes, each with those that are tried after it.
    pub(super) includes: Vec<Vec<String>>,
    /// The names that it gives a value somewhere, but for those of loops.
    pub(super) bound: Vec<String>,
}

pub(super) enum Extends {
    Nothing,
    FirstOf(Vec<String>),
    /// What is known only at run time.
    Unknown,
}

/// An expression, a text, or a statement with what stands up to its end.
#[derive(Default)]
pub(super) struct Node {
    /// The statement's word; empty for an expression, and [`TEXT`] for a text.
    pub(super) word: String,
    /// Where its code stands in the text, behind the word; or the text itself.
    pub(super) code: Range<usize>,
    pub(super) body: Vec<Node>,
    /// What stands behind each `{% else %}` and `{% elif … %}`.
    pub(super) otherwise: Vec<Otherwise>,
}

#[derive(Default)]
pub(super) struct Otherwise {
    /// Whether it is that of `{% else %}`.
    pub(super) is_else: bool,
    pub(super) nodes: Vec<Node>,
}

/// What stands for the word of a text; no statement has this name.
pub(super) const TEXT: &str = "text";

impl Node {
    fn add(&mut self, node: Node) {
        self.otherwise.last_mut().map_or(&mut self.body, |last| &mut last.nodes).push(node);
    }

    /// Returns the nodes in it, first those of its body.
    pub(super) fn inner(&self) -> impl Iterator<Item = &Node> {
        self.body.iter().chain(self.otherwise.iter().flat_map(|last| &last.nodes))
    }
}

impl Template {
    /// `None` if it isn't understood.
    pub(super) fn of(file: &str, text: String) -> Option<Template> {
        // The first is the template itself.
        let mut open = vec![Node::default()];
        let (mut includes, mut bound) = (Vec::new(), Vec::new());
        let mut extends = Extends::Nothing;
        let mut end = 0;
        for (start, next, tag) in tags(&text) {
            open.last_mut()?.add(text_between(&text, end, start));
            end = next;
            let (word, code) = match tag {
                Tag::Comment => continue,
                Tag::Expression(code) => ("", code),
                Tag::Statement(statement) => first_word(statement),
            };
            match word {
                "raw" | "endraw" => {}
                "else" | "elif" => {
                    let branch = Otherwise { is_else: word == "else", ..Otherwise::default() };
                    open.last_mut()?.otherwise.push(branch);
                }
                _ if word.starts_with("end") => {
                    let node = open.pop()?;
                    open.last_mut()?.add(node);
                }
                _ => {
                    match word {
                        "extends" => {
                            let at_once = open.len() == 1;
                            extends = match literal_names(code).filter(|_| at_once) {
                                Some((names, _)) => Extends::FirstOf(names),
                                None => Extends::Unknown,
                            };
                        }
                        "include" => includes.extend(literal_names(code).map(|(names, _)| names)),
                        _ => bound.extend(binds(word, code).map(str::to_owned)),
                    }
                    let start = code.as_ptr() as usize - text.as_ptr() as usize;
                    let place = start..start + code.len();
                    let node = Node { word: word.to_owned(), code: place, ..Node::default() };
                    match begins_body(word, code) {
                        true => open.push(node),
                        false => open.last_mut()?.add(node),
                    }
                }
            }
        }
        open.last_mut()?.add(text_between(&text, end, text.len()));
        let nodes = open.pop().filter(|_| open.is_empty())?.body;
        let file = file.to_owned();
        Some(Template { file, text, nodes, extends, includes, bound })
    }

    pub(super) fn code(&self, node: &Node) -> &str {
        &self.text[node.code.clone()]
    }

    /// Returns the line of a byte, counted from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        line_at(&self.text, byte)
    }

    /// Finds the block of this name.
    pub(super) fn block(&self, name: &str) -> Option<&Node> {
        self.find(|node| node.word == "block" && first_word(self.code(node)).0 == name)
    }

    /// Finds the first node, from the beginning, that is meant.
    pub(super) fn find(&self, is_meant: impl Fn(&Node) -> bool) -> Option<&Node> {
        self.all().into_iter().find(|node| is_meant(node))
    }

    /// Returns all nodes, from the beginning.
    pub(super) fn all(&self) -> Vec<&Node> {
        let mut found = Vec::new();
        let mut left: Vec<&Node> = self.nodes.iter().rev().collect();
        while let Some(node) = left.pop() {
            found.push(node);
            let before = left.len();
            left.extend(node.inner());
            left[before..].reverse();
        }
        found
    }
}

/// Returns the text between two tags, as it is printed: they may take the white
/// space beside them, and the end of the file the last line break.
fn text_between(text: &str, start: usize, end: usize) -> Node {
    let mut piece = &text[start..end];
    if end == text.len() {
        piece = piece.strip_suffix('\n').map_or(piece, |it| it.strip_suffix('\r').unwrap_or(it));
    } else if text[end + 2..].starts_with('-') {
        piece = piece.trim_end();
    }
    if ["-}}", "-%}", "-#}"].iter().any(|close| text[..start].ends_with(close)) {
        piece = piece.trim_start();
    }
    let start = piece.as_ptr() as usize - text.as_ptr() as usize;
    Node { word: TEXT.to_owned(), code: start..start + piece.len(), ..Node::default() }
}

/// Tells whether a statement has an end of its own.
pub(super) fn begins_body(word: &str, code: &str) -> bool {
    match word {
        "for" | "if" | "with" | "block" | "macro" | "call" | "filter" | "autoescape" => true,
        // `{% set name %}…{% endset %}`
        "set" => !code[code.find(['=', '|']).unwrap_or(code.len())..].starts_with('='),
        _ => false,
    }
}
