//! Tables on the console.

use unicode_width::UnicodeWidthStr;

/// Rows below each other, each column as wide on the screen as it needs to be, but not so wide that
/// one long text pushes all others off the screen.
pub struct Table<const N: usize> {
    pub rows: Vec<[String; N]>,
    heads: [&'static str; N],
}

impl<const N: usize> Table<N> {
    const WIDEST: usize = 40;

    /// With these heads.
    pub fn new(heads: [&'static str; N]) -> Self {
        Table {
            rows: Vec::new(),
            heads,
        }
    }

    /// Writes it.
    pub fn show(self, out: &mut String) {
        let mut widths = self.heads.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(Self::WIDEST));
            }
        }
        let heads = self.heads.map(str::to_owned);
        for row in std::iter::once(&heads).chain(&self.rows) {
            for (width, cell) in widths.iter().zip(row) {
                out.push_str(cell);
                // Columns of the screen, of which a character takes none, one or two.
                let blanks = width.saturating_sub(cell.width()) + 2;
                out.extend(std::iter::repeat_n(' ', blanks));
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
    }
}
