//! Which of a section's lines stay, when its options are to be others.

use super::document::ConfigOption;

/// An option of the section as it is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Merged {
    /// The option of that index stays.
    Same(usize),
    /// The option of that index gets another value.
    Changed(usize, String),
    /// A new option: its name and value.
    New(String, String),
}

/// Brings the options that a section is to have together with those that it has. As many as
/// possible stay; one with the same name at the same place gets another value.
pub fn merge(own: &[&ConfigOption], wanted: Vec<(String, String)>) -> Vec<Merged> {
    let same = |at: usize, (name, value): &(String, String)| {
        own[at].utf8 && own[at].name.eq_ignore_ascii_case(name) && own[at].value == *value
    };
    // The lengths of the longest common parts that begin at each pair of indexes.
    let (rows, columns) = (own.len() + 1, wanted.len() + 1);
    let mut common = vec![0u32; rows * columns];
    for row in (0..own.len()).rev() {
        for column in (0..wanted.len()).rev() {
            common[row * columns + column] = match same(row, &wanted[column]) {
                true => common[(row + 1) * columns + column + 1] + 1,
                false => {
                    common[(row + 1) * columns + column].max(common[row * columns + column + 1])
                }
            };
        }
    }
    // Of two options of the same value the first stays; between those that stay, an option takes
    // the line of the next one with its name.
    let mut anchors = Vec::new();
    let (mut row, mut column) = (0, 0);
    while row < own.len() && column < wanted.len() {
        if same(row, &wanted[column]) {
            anchors.push((row, column));
            (row, column) = (row + 1, column + 1);
        } else if common[(row + 1) * columns + column] >= common[row * columns + column + 1] {
            row += 1;
        } else {
            column += 1;
        }
    }
    let mut anchors = anchors.into_iter().peekable();
    let mut merged = Vec::with_capacity(wanted.len());
    let mut free = 0;
    for (column, (name, value)) in wanted.into_iter().enumerate() {
        if let Some((row, _)) = anchors.next_if(|(_, of)| *of == column) {
            merged.push(Merged::Same(row));
            free = row + 1;
            continue;
        }
        let end = anchors.peek().map_or(own.len(), |(row, _)| *row);
        let mut gap = free..end;
        match gap.find(|row| own[*row].name.eq_ignore_ascii_case(&name)) {
            Some(row) => {
                merged.push(Merged::Changed(row, value));
                free = row + 1;
            }
            None => merged.push(Merged::New(name, value)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(own: &[(&str, &str)], wanted: &[(&str, &str)]) -> Vec<Merged> {
        let options = own.iter().map(|(name, value)| ConfigOption {
            name: (*name).into(),
            value: (*value).into(),
            utf8: true,
            inherited: false,
            file: "f".into(),
            line: 1,
        });
        let options: Vec<ConfigOption> = options.collect();
        let wanted = wanted
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        merge(&options.iter().collect::<Vec<_>>(), wanted.collect())
    }

    #[test]
    fn what_is_equal_stays() {
        let own = [
            ("type", "user"),
            ("extension", "200"),
            ("extension", "201"),
            ("mobile", "1"),
        ];
        let wanted = [
            ("Type", "user"),
            ("extension", "201"),
            ("mobile", "2"),
            ("title", "x"),
        ];
        let expected = [
            Merged::Same(0),
            Merged::Same(2),
            Merged::Changed(3, "2".into()),
            Merged::New("title".into(), "x".into()),
        ];
        assert_eq!(merged(&own, &wanted), expected);
    }

    #[test]
    fn lines_keep_their_order() {
        let own = [("a", "1"), ("b", "2"), ("c", "3")];
        let wanted = [("c", "3"), ("a", "1"), ("b", "2")];
        let expected = [
            Merged::New("c".into(), "3".into()),
            Merged::Same(0),
            Merged::Same(1),
        ];
        assert_eq!(merged(&own, &wanted), expected);
        assert_eq!(merged(&own, &[]), []);
        assert_eq!(
            merged(&[], &[("a", "1")]),
            [Merged::New("a".into(), "1".into())]
        );
    }
}
