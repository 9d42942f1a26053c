//! What must hold of a record, whatever happened.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::node::EACH;
use crate::plan::NODES;
use crate::record::{At, Event, Outcome, Record, Struck, Term, Trace};

/// How long after a loss a node that had read what is lost must live to tell of it.
const TELLING: At = 10_000;

/// How long a node may take to fire again after a fault, and how long before a fault what
/// is fired may be lost.
const FIRES_AGAIN: At = 8_000;
const FIRES_BEFORE: At = 1_000;

/// Of how many slots one may fail to fire.
const MISSES: usize = 20;

/// The codes by which a server may close clients that come back then.
const CODES: [u16; 7] = [1000, 1001, 1005, 1006, 1012, 4409, 4503];

/// How many violations of a kind are told.
const TOLD: usize = 5;

/// Returns what was violated.
pub(crate) fn check(record: &Record) -> Vec<String> {
    let mut checked = Check::new(record);
    checked.traces();
    checked.sends();
    checked.handled();
    checked.fired();
    let mut kinds = HashMap::<&str, usize>::new();
    let mut told = Vec::new();
    for (kind, what) in &checked.found {
        let count = kinds.entry(kind).or_default();
        *count += 1;
        if *count <= TOLD {
            told.push(format!("{kind}: {what}"));
        }
    }
    for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > TOLD) {
        told.push(format!("{kind}: {count} times in all"));
    }
    told
}

/// What all clients of a path got together.
#[derive(Default)]
struct Union {
    by_number: BTreeMap<u64, String>,
    by_text: HashMap<String, BTreeSet<u64>>,
    /// Which processes have delivered a message.
    lives: HashMap<u64, HashSet<String>>,
}

struct Check<'record> {
    record: &'record Record,
    unions: HashMap<String, Union>,
    /// When a client first heard of an epoch.
    heard_of: HashMap<&'record str, At>,
    found: Vec<(&'static str, String)>,
}

/// A part of a path of which a client has everything that isn't in a gap.
struct Stretch {
    from: u64,
    to: u64,
    at: At,
}

/// A message that a client got.
struct Got<'trace> {
    at: At,
    text: &'trace str,
    number: Option<u64>,
    /// How often the client had begun anew, as a new one.
    beginning: usize,
}

/// What a client says of a path.
#[derive(Default)]
struct Story<'trace> {
    got: Vec<Got<'trace>>,
    stretches: Vec<Stretch>,
    /// From where to where messages may be missing, and when that was told.
    gaps: Vec<(u64, u64, At)>,
}

impl Story<'_> {
    fn is_in_gap(&self, number: u64) -> bool {
        self.gaps.iter().any(|(from, to, _)| (*from..*to).contains(&number))
    }

    fn is_told_after(&self, at: At) -> bool {
        self.gaps.iter().any(|(.., told)| *told >= at)
    }
}

impl<'record> Check<'record> {
    fn new(record: &'record Record) -> Check<'record> {
        let mut unions = HashMap::<String, Union>::new();
        let (mut found, mut heard_of) = (Vec::new(), HashMap::<&str, At>::new());
        for trace in &record.clients {
            let union = unions.entry(trace.path.clone()).or_default();
            let mut life = "";
            for (at, event) in &trace.events {
                if let Event::Opened { epoch, .. } | Event::At { epoch: Some(epoch), .. } = event {
                    let first = heard_of.entry(epoch).or_insert(*at);
                    *first = (*first).min(*at);
                }
                match event {
                    Event::Opened { life: its, .. } => life = its,
                    Event::Message { number: Some(number), text } => {
                        let before = union.by_number.insert(*number, text.clone());
                        if let Some(before) = before.filter(|before| before != text) {
                            let what = format!("{number} of {} is {text} and {before}", trace.path);
                            found.push(("one number, two messages", what));
                        }
                        union.by_text.entry(text.clone()).or_default().insert(*number);
                        union.lives.entry(*number).or_default().insert(life.to_owned());
                    }
                    _ => {}
                }
            }
        }
        Check { record, unions, heard_of, found }
    }

    /// Whether Redis has lost this message; the term that has begun then.
    fn lost(&self, path: &str, number: u64) -> Option<&'record Term> {
        self.record.terms.iter().find(|term| {
            let head = term.heads.get(path).copied().unwrap_or_default();
            head < number && number < term.first
        })
    }

    /// Whether nobody can tell that a message is lost: each node that has delivered it was
    /// killed before it could.
    fn is_untold(&self, path: &str, number: u64) -> bool {
        let Some(term) = self.lost(path, number) else { return false };
        let lives = self.unions.get(path).and_then(|union| union.lives.get(&number));
        lives.is_some_and(|lives| lives.iter().all(|life| self.couldnt_tell(life, term)))
    }

    /// Whether a process was killed before it could tell what this term is without.
    fn couldnt_tell(&self, life: &str, term: &Term) -> bool {
        let since = self.record.terms.iter().filter(|since| since.first >= term.first);
        let told = since.filter_map(|since| self.heard_of.get(&*since.epoch));
        let Some(told) = told.min() else { return false };
        self.record.killed.get(life).is_some_and(|at| *at < told + TELLING)
    }

    fn traces(&mut self) {
        for trace in &self.record.clients {
            let story = match trace.is_plain {
                true => self.plain(trace),
                false => self.v1(trace),
            };
            self.story(trace, &story);
        }
    }

    /// Reads what a client of `pode.v1` got.
    fn v1(&mut self, trace: &'record Trace) -> Story<'record> {
        let (mut story, name) = (Story::default(), &trace.name);
        let (mut cursor, mut beginning) = (None::<u64>, 0);
        for (at, event) in &trace.events {
            let was_at = cursor.unwrap_or_default();
            let mut go_on = |to: u64, kind: &str, found: &mut Vec<_>| {
                if to < was_at {
                    found.push((
                        "positions rise",
                        format!("{name} at {at} ms: {kind} {to} < {was_at}"),
                    ));
                }
                if cursor.is_some() && to > was_at {
                    story.stretches.push(Stretch { from: was_at, to, at: *at });
                }
                cursor = Some(to);
            };
            match event {
                Event::Opened { at: to, resumed: resumed @ (None | Some(false)), .. } => {
                    story.gaps.push((was_at.min(*to), *to, *at));
                    cursor = Some(*to);
                    // It is a new one, or of a numbering that nobody knows any more.
                    beginning += usize::from(resumed.is_none() || *to < was_at);
                    if resumed.is_some() {
                        self.told(trace, *at, event);
                    }
                }
                Event::Opened { at: to, .. } => go_on(*to, "hello", &mut self.found),
                Event::Message { number: Some(number), text } => {
                    go_on(*number, "message", &mut self.found);
                    cursor = Some(number + 1);
                    story.got.push(Got { at: *at, text, number: Some(*number), beginning });
                }
                Event::Gap { from, to, .. } => {
                    if *from > was_at {
                        go_on(*from, "gap", &mut self.found);
                    }
                    if *to < was_at {
                        let what = format!("{name} at {at} ms: gap to {to} < {was_at}");
                        self.found.push(("positions rise", what));
                    }
                    story.gaps.push((*from, *to, *at));
                    cursor = Some(*to);
                    self.told(trace, *at, event);
                }
                Event::At { at: to, .. } => go_on(*to, "position", &mut self.found),
                Event::Closed { code, .. } if CODES.contains(code) => {}
                // Who is behind isn't told what it misses, before it comes back.
                Event::Closed { code: 1013, .. } => self.told(trace, *at, event),
                Event::Closed { .. } => {
                    self.found.push(("closed", format!("{name} at {at} ms: {event:?}")))
                }
                Event::Message { .. } | Event::Told(_) => {}
            }
        }
        story
    }

    /// Reads what a plain client got: which number a message has, others know.
    fn plain(&mut self, trace: &'record Trace) -> Story<'record> {
        let mut story = Story::default();
        let (mut cursor, mut epoch, mut beginning) = (0, "", 0);
        let mut may_repeat = false;
        for (at, event) in &trace.events {
            match event {
                // Further notices of a loss have numbers that nobody can count.
                Event::Opened { resumed: Some(_), .. } => {
                    may_repeat = self.record.first_loss.is_some_and(|loss| loss <= *at);
                }
                Event::Opened { at: to, epoch: of, .. } => {
                    if cursor > 0 {
                        story.gaps.push((cursor, *to, *at));
                    }
                    (cursor, epoch) = (*to, of);
                    beginning += 1;
                }
                Event::Message { text, .. } => {
                    let union = self.unions.get(&trace.path);
                    let numbers = union.and_then(|union| union.by_text.get(text));
                    let number = numbers.and_then(|all| all.range(cursor..).next()).copied();
                    if number.is_none() && numbers.is_some() && may_repeat {
                        continue;
                    }
                    may_repeat = false;
                    story.got.push(Got { at: *at, text, number, beginning });
                    if let Some(number) = number {
                        story.stretches.push(Stretch { from: cursor, to: number, at: *at });
                        cursor = number + 1;
                    } else if numbers.is_some() {
                        let what = format!(
                            "{} at {at} ms: {text} of {numbers:?} comes behind {cursor}",
                            trace.name
                        );
                        self.found.push(("numbers rise", what));
                    }
                }
                Event::Closed { code: 4410, .. } => {
                    // Who counts beyond the end of an epoch comes from nowhere.
                    let is_current = self.record.terms.iter().max_by_key(|term| term.first);
                    if is_current.is_none_or(|term| term.epoch == epoch) {
                        self.told(trace, *at, event);
                    }
                }
                Event::Closed { code: 1013, .. } => self.told(trace, *at, event),
                Event::Closed { code, .. } if CODES.contains(code) => {}
                _ => self.found.push(("closed", format!("{} at {at} ms: {event:?}", trace.name))),
            }
        }
        story
    }

    /// A client is told that it misses something. A Redis that is killed while its disk is
    /// slow may have lost something, too.
    fn told(&mut self, trace: &Trace, at: At, event: &Event) {
        let has_lost = |union: &Union| {
            union.by_number.keys().any(|number| self.lost(&trace.path, *number).is_some())
        };
        let has_lost = self.unions.get(&trace.path).is_some_and(has_lost);
        if !has_lost && self.record.first_loss.is_none_or(|loss| at < loss) {
            let what = format!("{} at {at} ms: {event:?}", trace.name);
            self.found.push(("a gap that is none", what));
        }
    }

    fn story(&mut self, trace: &Trace, story: &Story<'_>) {
        let Trace { name, path, .. } = trace;
        let Some(union) = self.unions.get(path) else { return };
        let mut found = Vec::new();
        let got: HashSet<u64> = story.got.iter().filter_map(|got| got.number).collect();
        for Stretch { from, to, at } in &story.stretches {
            for (number, text) in union.by_number.range(*from..*to) {
                let is_lost = self.lost(path, *number).is_some();
                let is_excused = story.is_in_gap(*number)
                    || is_lost && (story.is_told_after(*at) || self.is_untold(path, *number));
                if !got.contains(number) && !is_excused {
                    let what = format!("{name} lacks {text} ({number}) of {from}..{to} at {at} ms");
                    found.push(("missing, and untold", what));
                }
            }
        }
        // What a new client is first sent is what its node reads then.
        let mut seen = HashMap::<(usize, &str), &Got<'_>>::new();
        let mut counters = HashMap::<(usize, &str), u64>::new();
        for got in &story.got {
            let is_void = |got: &Got<'_>| match got.number {
                Some(number) => {
                    let is_lost = self.lost(path, number).is_some();
                    story.is_in_gap(number)
                        || is_lost && (story.is_told_after(got.at) || self.is_untold(path, number))
                }
                // Only clients that have no numbers got it: nobody knows what became of it.
                None => self.record.first_loss.is_some(),
            };
            if let Some(before) = seen.insert((got.beginning, got.text), got)
                && !is_void(before)
            {
                let what = format!(
                    "{name}: {} ({:?} at {} ms, and {:?} at {} ms)",
                    got.text, before.number, before.at, got.number, got.at
                );
                found.push(("twice", what));
            }
            if let Some((publisher, counter)) = got.text.split_once(':')
                && publisher.starts_with("sent.")
                && let Ok(counter) = counter.parse::<u64>()
                && !is_void(got)
            {
                let before = counters.insert((got.beginning, publisher), counter);
                if before.is_some_and(|before| before > counter) {
                    found.push(("out of order", format!("{name}: {} at {} ms", got.text, got.at)));
                }
            }
        }
        self.found.append(&mut found);
    }

    /// What became of messages, compared with what senders heard of them.
    fn sends(&mut self) {
        let mut found = Vec::new();
        for (index, send) in self.record.sends.iter().enumerate() {
            let Some(union) = self.unions.get(&send.path) else { continue };
            let numbers = union.by_text.get(&send.text);
            match send.outcome {
                Outcome::NotSent => {
                    if let Some(numbers) = numbers {
                        found.push((
                            "not sent, but delivered",
                            format!("{} {numbers:?}", send.text),
                        ));
                    }
                }
                // A client that was told of each loss has all others.
                Outcome::Sent if numbers.is_none() => {
                    let may_be_untold = self.record.first_loss.is_some()
                        && self.record.terms.iter().any(|term| self.couldnt_tell(&send.life, term));
                    let all_are_told = || {
                        let of_path = self.record.clients.iter().filter(|it| it.path == send.path);
                        of_path.clone().all(|trace| {
                            trace.events.iter().any(|(at, event)| {
                                let is_gap = matches!(
                                    event,
                                    Event::Gap { .. }
                                        | Event::Opened { resumed: None | Some(false), .. }
                                        | Event::Closed { code: 1013 | 4410, .. }
                                );
                                is_gap && *at >= send.at
                            })
                        })
                    };
                    // Before the first client has come.
                    let is_early = index < 3 && send.text.starts_with("first.");
                    if !is_early && !may_be_untold && !all_are_told() {
                        found.push(("sent, but not delivered", format!("{send:?}")));
                    }
                }
                Outcome::Sent | Outcome::Unknown => {}
            }
        }
        self.found.append(&mut found);
    }

    /// The timer that fires on one node.
    fn fired(&mut self) {
        let Record { fired, faults, fires, begun_ms, .. } = self.record;
        let mut lives = HashMap::<u64, &str>::new();
        for (slot, life) in fired {
            if let Some(before) = lives.insert(*slot, life) {
                self.found.push(("fired twice", format!("{slot} at {before} and at {life}")));
            }
        }
        let each = EACH.as_millis() as u64;
        let slots = (begun_ms + fires.0).div_ceil(each)..(begun_ms + fires.1) / each;
        let is_due = |slot: &u64| {
            let at = slot - begun_ms;
            let is_near = |fault: &Struck| {
                (fault.from.saturating_sub(FIRES_BEFORE)..fault.to + FIRES_AGAIN).contains(&at)
            };
            let begins = |fault: &Struck| fault.from.abs_diff(at) <= FIRES_BEFORE;
            let is_away = |node| faults.iter().any(|fault| fault.node == node && is_near(fault));
            !faults.iter().any(begins)
                && !is_away(None)
                && (0..NODES).any(|node| !is_away(Some(node)))
        };
        let due: Vec<_> = slots.map(|slot| slot * each).filter(is_due).collect();
        let done = due.iter().filter(|slot| lives.contains_key(slot)).count();
        if due.len() - done > 1.max(due.len() / MISSES) {
            self.found.push(("fired too seldom", format!("{done} of {} slots", due.len())));
        }
    }

    /// Numbered messages of clients, compared with what nodes have handled.
    fn handled(&mut self) {
        let mut found = Vec::new();
        let mut handled = HashMap::<(&str, u64), Vec<(&str, bool)>>::new();
        for it in &self.record.handled {
            let key = (&*it.who, it.number);
            handled.entry(key).or_default().push((&it.life, it.is_flagged));
        }
        for trace in &self.record.clients {
            for number in 1..=trace.sent {
                let all = handled.remove(&(&*trace.name, number)).unwrap_or_default();
                let name = &trace.name;
                if all.is_empty() && number <= trace.acknowledged {
                    found.push(("acknowledged, but not handled", format!("{number} of {name}")));
                }
                let unflagged = all.iter().filter(|(_, is_flagged)| !is_flagged).count();
                if unflagged > 1 || all.len() > 1 && !trace.again.contains(&number) {
                    found.push(("handled twice", format!("{number} of {name}: {all:?}")));
                }
            }
        }
        found.extend(handled.keys().map(|key| ("handled, but not sent", format!("{key:?}"))));
        self.found.append(&mut found);
    }
}
