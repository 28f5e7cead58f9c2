//! Suggestions for misspelt words: the known word that is closest to an unknown one.

/// The end of a message about an unknown word: the expected words, preceded by the word that
/// is closest to the given one if any is close. Either `, expected a, b or c` or `, did you
/// mean 'a'? Expected a, b or c`.
pub fn expected(given: &str, expected: &str) -> String {
    match did_you_mean(given, expected).as_str() {
        "" => format!(", expected {expected}"),
        hint => format!("{hint} Expected {expected}"),
    }
}

/// `, did you mean 'a'?` if a word of the list is close to the given one, otherwise nothing.
pub fn did_you_mean(given: &str, list: &str) -> String {
    let meant = close(given, words(list));
    meant.map_or_else(String::new, |word| format!(", did you mean '{word}'?"))
}

/// The words of a list such as `a, b or c`.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split([',', ' ', '(', ')']);
    words.filter(|word| !word.is_empty() && !matches!(*word, "or" | "a" | "of" | "one"))
}

/// The known word that is closest to the given one, if they differ in few letters.
pub fn close<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer texts are not misspelt words.
    const LONGEST: usize = 40;
    let given: Vec<char> = given.to_lowercase().chars().collect();
    if !(3..=LONGEST).contains(&given.len()) {
        return None;
    }
    // A third of the letters may differ, at most three.
    let most = (given.len() / 3).clamp(1, 3);
    let distances = known.filter_map(|word| {
        let letters: Vec<char> = word.to_lowercase().chars().collect();
        let begins = letters.starts_with(&given);
        let distance = match letters.len().abs_diff(given.len()) <= most {
            true => distance(&given, &letters),
            false => usize::MAX,
        };
        // The beginning of a word counts as one missing letter.
        let distance = if begins { distance.min(1) } else { distance };
        (distance <= most).then_some((distance, word))
    });
    distances
        .min_by_key(|(distance, _)| *distance)
        .map(|it| it.1)
}

/// The number of letters to insert, remove, replace or swap with the next letter.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(letter != other);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *letter == b[j - 1] && a[i - 1] == *other {
                let two_back: &Vec<usize> = &before;
                least = least.min(two_back[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn misspelt_words_are_recognized() {
        let list = "type, extension, source, device, dnd or outgoing";
        for (given, meant) in [
            ("extention", Some("extension")),
            ("Extensoin", Some("extension")),
            ("exten", Some("extension")),
            ("sorce", Some("source")),
            ("dn", None),
            ("dnt", Some("dnd")),
            ("twenty", None),
            ("or", None),
            ("outgoin", Some("outgoing")),
            ("shoe", None),
            ("", None),
        ] {
            assert_eq!(close(given, words(list)), meant, "{given}");
        }
        let text = expected("sorce", "a source or dnd");
        assert_eq!(text, ", did you mean 'source'? Expected a source or dnd");
        assert_eq!(expected("x", "a or b"), ", expected a or b");
    }

    proptest! {
        #[test]
        fn a_word_with_up_to_two_changes_is_recognized(word in "[a-z]{6,12}", at in 0_usize..5) {
            let mut letters: Vec<char> = word.chars().collect();
            letters.swap(at, at + 1);
            let changed: String = letters.iter().collect();
            prop_assert_eq!(close(&changed, [word.as_str()].into_iter()), Some(word.as_str()));
            letters.remove(at);
            let shorter: String = letters.iter().collect();
            prop_assert_eq!(close(&shorter, [word.as_str()].into_iter()), Some(word.as_str()));
        }

        #[test]
        fn no_word_panics(given in ".*", known in ".*") {
            let _ = close(&given, words(&known));
        }
    }
}
