//! Tables on the console.

use unicode_width::UnicodeWidthStr;

/// A table with aligned columns. A column is as wide as its widest cell, up to
/// [`Table::WIDEST`], so that one long text does not push the other columns off the screen.
pub struct Table<const N: usize> {
    /// The rows, without the head.
    pub rows: Vec<[String; N]>,
    heads: [&'static str; N],
    /// A column that is left out if all of its cells are empty.
    optional: Option<usize>,
}

impl<const N: usize> Table<N> {
    /// The width of a column, in columns of the terminal.
    const WIDEST: usize = 40;

    /// An empty table with these column heads.
    pub fn new(heads: [&'static str; N]) -> Self {
        Table {
            rows: Vec::new(),
            heads,
            optional: None,
        }
    }

    /// Leaves the column with this index out if all of its cells are empty.
    pub fn with_optional(mut self, column: usize) -> Self {
        self.optional = Some(column);
        self
    }

    /// Writes the head and the rows.
    pub fn show(self, out: &mut String) {
        let mut widths = self.heads.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(Self::WIDEST));
            }
        }
        let is_empty = |column: &usize| self.rows.iter().all(|row| row[*column].is_empty());
        let left_out = self.optional.filter(is_empty);
        let heads = self.heads.map(str::to_owned);
        for row in std::iter::once(&heads).chain(&self.rows) {
            for (column, (width, cell)) in widths.iter().zip(row).enumerate() {
                if left_out == Some(column) {
                    continue;
                }
                out.push_str(cell);
                // In columns of the terminal: a character takes none, one or two.
                let blanks = width.saturating_sub(cell.width()) + 2;
                out.extend(std::iter::repeat_n(' ', blanks));
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
    }
}
