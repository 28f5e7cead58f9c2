//! Tables on the console.

use std::fmt::Write;

/// Rows below each other, each column as wide as it needs to be, but not so wide that
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
                *width = (*width).max(cell.chars().count().min(Self::WIDEST));
            }
        }
        let heads = self.heads.map(str::to_owned);
        for row in std::iter::once(&heads).chain(&self.rows) {
            for (width, cell) in widths.iter().zip(row) {
                let _ = write!(out, "{cell:<width$}  ");
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
    }
}
