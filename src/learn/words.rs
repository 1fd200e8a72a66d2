//! The words of names: split, and brought to one form, so that `task:create` and `taskCreated` are seen to be about the same.

/// Words that mean the same when they stand in an event's name.
const GROUPS: [&[&str]; 9] = [
    &["create", "new", "add", "insert"],
    &["delete", "remove", "destroy"],
    &["update", "edit", "change", "modify", "patch"],
    &["move", "drag", "drop"],
    &["join", "enter", "subscribe"],
    &["leave", "exit", "unsubscribe", "quit"],
    &["start", "begin"],
    &["stop", "end", "finish"],
    &["list", "get", "fetch", "load", "request"],
];
/// Past tenses that no rule makes.
const IRREGULAR: [(&str, &str); 8] = [
    ("left", "leave"),
    ("sent", "send"),
    ("began", "begin"),
    ("begun", "begin"),
    ("done", "do"),
    ("made", "make"),
    ("read", "read"),
    ("quit", "quit"),
];
/// Verbs whose last letter is doubled in the past tense.
const DOUBLED: [&str; 6] = ["stop", "drag", "drop", "plan", "tag", "pin"];
/// Endings of words that are no past tense.
const NO_PAST: [&str; 4] = ["need", "feed", "seed", "speed"];

/// The words of a name in lower case, split at separators and at the humps of camelCase.
pub(super) fn split(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for char in name.chars() {
        let hump = char.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
        let is_letter = char.is_alphanumeric();
        if hump || !is_letter {
            words.push(String::new());
        }
        if let (true, Some(word)) = (is_letter, words.last_mut()) {
            word.extend(char.to_lowercase());
        }
        before = char;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The form that all forms of a word share: `creat` of create and created, `task` of tasks.
pub(super) fn stem(word: &str) -> String {
    let irregular = IRREGULAR.iter().find(|(past, _)| *past == word);
    let word = irregular.map_or(word, |(_, present)| present);
    let mut stem = singular(word).to_owned();
    if is_past(&stem) {
        stem.truncate(stem.len() - 2);
    }
    // Created and create, replied and reply, stopped and stop.
    if let Some(shorter) = stem.strip_suffix('e') {
        stem.truncate(shorter.len());
    }
    if let Some(shorter) = stem.strip_suffix('i') {
        stem = format!("{shorter}y");
    }
    let mut letters = stem.chars().rev();
    if let (Some(last), Some(before)) = (letters.next(), letters.next())
        && last == before
        && stem.len() > 2
    {
        stem.truncate(stem.len() - last.len_utf8());
    }
    stem
}

/// A word without the `s` of the plural.
pub(super) fn singular(word: &str) -> &str {
    let keeps = ["ss", "us", "is"].iter().any(|end| word.ends_with(end));
    match word.strip_suffix('s') {
        Some(singular) if !keeps && singular.len() > 2 => singular,
        _ => word,
    }
}

/// A word with the `s` of the plural.
pub(super) fn plural(word: &str) -> String {
    if word.ends_with('s') && singular(word) != word {
        return word.to_owned();
    }
    match word.strip_suffix('y') {
        Some(start) if !start.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{start}ies"),
        _ if word.ends_with(['s', 'x']) => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

/// Whether a word is in the past tense.
pub(super) fn is_past(word: &str) -> bool {
    let irregular = IRREGULAR
        .iter()
        .any(|(past, present)| *past == word && past != present);
    irregular || (word.len() > 4 && word.ends_with("ed") && !NO_PAST.contains(&word))
}

/// The past tense of a verb.
pub(super) fn past(verb: &str) -> String {
    let irregular = IRREGULAR.iter().find(|(_, present)| *present == verb);
    if let Some((past, _)) = irregular {
        return (*past).to_owned();
    }
    if verb == "new" {
        return "added".to_owned();
    }
    match verb.chars().last() {
        Some('e') => format!("{verb}d"),
        Some('y') if verb.len() > 3 => format!("{}ied", &verb[..verb.len() - 1]),
        Some(last) if DOUBLED.contains(&verb) => format!("{verb}{last}ed"),
        _ => format!("{verb}ed"),
    }
}

/// The word that stands for a word and all that mean the same.
pub(super) fn group(word: &str) -> String {
    let stem_of = stem(word);
    let of_group = |group: &&&[&str]| group.iter().any(|member| stem(member) == stem_of);
    GROUPS
        .iter()
        .find(of_group)
        .map_or(stem_of, |group| stem(group[0]))
}

/// What a name is about, in whatever order and form its words stand.
pub(super) fn meaning(name: &str) -> Vec<String> {
    let mut words: Vec<_> = split(name).iter().map(|word| group(word)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Whether one of the words of a name is one of these, in whatever form.
pub(super) fn has(name: &str, words: &[&str]) -> bool {
    split(name).iter().any(|word| is_one_of(word, words))
}

/// Whether a word is one of these, in whatever form.
pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    let stem_of = stem(word);
    words
        .iter()
        .any(|known| *known == word || stem(known) == stem_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_share_a_stem() {
        for (one, two) in [
            ("create", "created"),
            ("move", "moved"),
            ("add", "added"),
            ("stop", "stopped"),
            ("reply", "replied"),
            ("task", "tasks"),
            ("leave", "left"),
            ("assign", "assigned"),
            ("change", "changed"),
        ] {
            assert_eq!(stem(one), stem(two), "{one}");
        }
        for (one, two) in [("task", "tag"), ("status", "state"), ("user", "use")] {
            assert_ne!(stem(one), stem(two), "{one}");
        }
        assert_eq!(meaning("comment:new"), meaning("commentAdded"));
        assert_eq!(
            meaning("task:status_change"),
            meaning("task-status-changed")
        );
        assert_ne!(meaning("task:create"), meaning("task:delete"));
    }

    #[test]
    fn verbs_have_a_past() {
        for (verb, expected) in [
            ("create", "created"),
            ("stop", "stopped"),
            ("leave", "left"),
            ("new", "added"),
            ("reply", "replied"),
            ("assign", "assigned"),
        ] {
            assert_eq!(past(verb), expected);
            assert!(is_past(&past(verb)), "{verb}");
        }
        assert!(!is_past("feed") && !is_past("task") && !is_past("red"));
        assert_eq!(
            (plural("entity"), plural("board"), plural("tasks")),
            ("entities".into(), "boards".into(), "tasks".into())
        );
    }
}
