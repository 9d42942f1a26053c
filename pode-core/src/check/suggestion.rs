//! Suggestions for misspelled words.

/// Returns the choice that is close enough to the word to have been meant.
///
/// Close means that at most a third of the word's letters are changed, swapped,
/// missing or added; a short word may still have one wrong. Case doesn't count.
///
/// ```
/// # use pode_core::check::did_you_mean;
///
/// assert_eq!(did_you_mean("endpont", ["endpoint", "route"]), Some("endpoint"));
/// assert_eq!(did_you_mean("timer", ["endpoint", "route"]), None);
/// ```
pub fn did_you_mean<'a>(word: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let most = (word.chars().count() / 3).max(1);
    choices
        .into_iter()
        .map(|choice| (strsim::damerau_levenshtein(&word, &choice.to_lowercase()), choice))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// Returns the help for a word that is none of a few choices: the closest one,
/// one that begins like it, or all of them after `otherwise`.
pub fn help_with_choices(word: &str, choices: &[&str], otherwise: &str) -> String {
    let begun =
        || choices.iter().copied().find(|choice| word.len() > 2 && choice.starts_with(word));
    if let Some(meant) = did_you_mean(word, choices.iter().copied()).or_else(begun) {
        return format!("did you mean `{meant}`?");
    }
    let all: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    match all.split_last() {
        Some((last, first)) if !first.is_empty() => {
            format!("{otherwise} {} or {last}", first.join(", "))
        }
        _ => format!("{otherwise} {}", all.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_choice_is_meant() {
        assert_eq!(did_you_mean("signla", ["signal", "single"]), Some("signal"));
        assert_eq!(did_you_mean("GTE", ["GET", "PUT"]), Some("GET"));
        assert_eq!(did_you_mean("get", ["GET"]), Some("GET"));
        assert_eq!(did_you_mean("x", ["http", "ws"]), None);
    }

    #[test]
    fn few_choices_are_listed() {
        assert_eq!(help_with_choices("x", &["http", "ws"], "write"), "write `http` or `ws`");
        assert_eq!(help_with_choices("x", &["http"], "write"), "write `http`");
        assert_eq!(help_with_choices("rou", &["route"], "write"), "did you mean `route`?");
    }
}
