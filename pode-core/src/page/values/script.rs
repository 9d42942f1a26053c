//! Where in a script a value is printed: what has been read of JavaScript so far.

/// How a script stands at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    mode: Mode,
    /// The open braces within each `${` that is open.
    templates: Vec<u16>,
    /// Of each open parenthesis, whether it is that of `if (…)` or the like.
    conditions: Vec<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mode {
    Code(Before),
    Word(String),
    /// A `/`; the next character says whether a comment begins.
    Slash(Slash),
    Quoted(char),
    /// Of a template outside of `${…}`.
    Template,
    /// A `$` in a template.
    Dollar,
    LineComment,
    BlockComment,
    /// A `*` in a comment.
    Star,
    /// A regular expression; only perhaps where that isn't `certain`.
    Expression {
        in_class: bool,
        certain: bool,
    },
    /// A backslash was read.
    Escape(Box<Mode>),
    /// Not followed.
    Unknown,
}

/// Tells what a `/` is: behind an operand it divides, behind an operator it
/// begins a regular expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Operand,
    Operator,
    Either,
    /// Behind `if` and the like.
    Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slash {
    Division,
    Expression { certain: bool },
}

/// What a value is printed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    Code,
    /// A string, or the text of a template.
    Quotes,
    /// A comment, a regular expression, or what isn't followed.
    Other,
}

impl Script {
    /// The beginning of a script.
    pub(super) fn begin() -> Script {
        Script::at(Mode::Code(Before::Operator))
    }

    /// A script whose text isn't what runs.
    pub(super) fn unknown() -> Script {
        Script::at(Mode::Unknown)
    }

    fn at(mode: Mode) -> Script {
        Script { mode, templates: Vec::new(), conditions: Vec::new() }
    }

    /// `<!--` was read, which in code begins a comment of one line.
    pub(super) fn begin_html_comment(&mut self) {
        if matches!(self.mode, Mode::Code(_)) {
            self.mode = Mode::LineComment;
        }
    }

    /// Prints a value, and tells into what.
    pub(super) fn print(&mut self) -> Into {
        let (into, mode) = match &self.mode {
            Mode::Code(_) | Mode::Word(_) | Mode::Slash(Slash::Division) => {
                (Into::Code, Mode::Code(Before::Operand))
            }
            Mode::Quoted(quote) => (Into::Quotes, Mode::Quoted(*quote)),
            Mode::Template | Mode::Dollar => (Into::Quotes, Mode::Template),
            Mode::Escape(inner) => (Into::Other, (**inner).clone()),
            Mode::Slash(Slash::Expression { certain }) => {
                (Into::Other, Mode::Expression { in_class: false, certain: *certain })
            }
            Mode::Star => (Into::Other, Mode::BlockComment),
            other => (Into::Other, other.clone()),
        };
        self.mode = mode;
        into
    }

    /// Reads at once what of this changes nothing, or only makes a word longer, and
    /// has neither `<` nor `-`; returns its length.
    pub(super) fn run(&mut self, text: &str) -> usize {
        let up_to = |ends: &[char]| {
            text.find(|c| matches!(c, '<' | '-') || ends.contains(&c)).unwrap_or(text.len())
        };
        match &mut self.mode {
            Mode::Code(_) => text.find(|c: char| !c.is_ascii_whitespace()).unwrap_or(text.len()),
            Mode::Word(word) => {
                let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
                let kept = ("instanceof".len() + 1).saturating_sub(word.len()).min(end);
                word.push_str(&text[..kept]);
                end
            }
            Mode::Quoted(quote) => up_to(&[*quote, '\\', '\n']),
            Mode::Template => up_to(&['`', '\\', '$']),
            Mode::LineComment => up_to(&['\n', '\u{2028}', '\u{2029}']),
            Mode::BlockComment => up_to(&['*']),
            Mode::Unknown => up_to(&[]),
            _ => 0,
        }
    }

    /// Reads a character. There may be several ways to read it, or none.
    pub(super) fn step(mut self, c: char, next: &mut Vec<Script>) {
        let is_line_end = matches!(c, '\n' | '\u{2028}' | '\u{2029}');
        let mode = std::mem::replace(&mut self.mode, Mode::Unknown);
        self.mode = match mode {
            Mode::Code(before) => self.code(before, c),
            Mode::Word(mut word) if is_of_word(c) => {
                // As long as a word before an operand may be.
                if word.len() <= "instanceof".len() {
                    word.push(c);
                }
                Mode::Word(word)
            }
            Mode::Word(word) => {
                let before = match word.as_str() {
                    "if" | "while" | "for" | "with" => Before::Condition,
                    word if WORDS_BEFORE_OPERANDS.contains(&word) => Before::Operator,
                    _ => Before::Operand,
                };
                self.code(before, c)
            }
            Mode::Slash(slash) => match (c, slash) {
                ('/', _) => Mode::LineComment,
                ('*', _) => Mode::BlockComment,
                (_, Slash::Division) => self.code(Before::Operator, c),
                (_, Slash::Expression { certain }) => {
                    self.mode = Mode::Expression { in_class: false, certain };
                    return self.step(c, next);
                }
            },
            Mode::Quoted(quote) => match c {
                '\\' => Mode::Escape(Box::new(Mode::Quoted(quote))),
                '\n' => Mode::Code(Before::Operand),
                _ if c == quote => Mode::Code(Before::Operand),
                _ => Mode::Quoted(quote),
            },
            Mode::Dollar if c == '{' => {
                self.templates.push(0);
                Mode::Code(Before::Operator)
            }
            Mode::Template | Mode::Dollar => match c {
                '`' => Mode::Code(Before::Operand),
                '\\' => Mode::Escape(Box::new(Mode::Template)),
                '$' => Mode::Dollar,
                _ => Mode::Template,
            },
            Mode::LineComment if is_line_end => Mode::Code(Before::Either),
            Mode::Star if c == '/' => Mode::Code(Before::Either),
            Mode::BlockComment | Mode::Star if c == '*' => Mode::Star,
            Mode::Star => Mode::BlockComment,
            // It was none.
            Mode::Expression { certain, .. } if is_line_end => match certain {
                true => Mode::Code(Before::Operand),
                false => return,
            },
            Mode::Expression { in_class, certain } => match c {
                '\\' => Mode::Escape(Box::new(Mode::Expression { in_class, certain })),
                '/' if !in_class => Mode::Code(Before::Operand),
                _ => Mode::Expression { in_class: c == '[' || in_class && c != ']', certain },
            },
            Mode::Escape(inner) => *inner,
            unchanged @ (Mode::LineComment | Mode::BlockComment | Mode::Unknown) => unchanged,
        };
        // There it may be both.
        if self.mode == Mode::Slash(Slash::Expression { certain: false }) {
            next.push(Script { mode: Mode::Slash(Slash::Division), ..self.clone() });
        }
        next.push(self);
    }

    fn code(&mut self, before: Before, c: char) -> Mode {
        match c {
            _ if c.is_whitespace() => Mode::Code(before),
            '"' | '\'' => Mode::Quoted(c),
            '`' => Mode::Template,
            '/' => Mode::Slash(match before {
                Before::Operand => Slash::Division,
                Before::Operator | Before::Condition => Slash::Expression { certain: true },
                Before::Either => Slash::Expression { certain: false },
            }),
            '{' => {
                if let Some(open) = self.templates.last_mut() {
                    *open = open.saturating_add(1);
                }
                Mode::Code(Before::Operator)
            }
            '}' => match self.templates.last_mut() {
                Some(0) => {
                    self.templates.pop();
                    Mode::Template
                }
                Some(open) => {
                    *open -= 1;
                    Mode::Code(Before::Either)
                }
                None => Mode::Code(Before::Either),
            },
            '(' => {
                self.conditions.push(before == Before::Condition);
                Mode::Code(Before::Operator)
            }
            ')' => Mode::Code(match self.conditions.pop() {
                Some(true) => Before::Operator,
                Some(false) => Before::Operand,
                None => Before::Either,
            }),
            ']' => Mode::Code(Before::Operand),
            // `a + /b/`, `a++ / b`; `.../a/`, `1./a`
            '+' | '-' | '.' => Mode::Code(Before::Either),
            _ if is_of_word(c) => Mode::Word(c.to_string()),
            _ => Mode::Code(Before::Operator),
        }
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

const WORDS_BEFORE_OPERANDS: [&str; 14] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "do",
    "else",
    "void",
    "delete",
    "throw",
    "new",
    "await",
    "yield",
    "instanceof",
];
