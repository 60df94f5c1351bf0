//! Tables for people: aligned columns, every cell fit for a terminal.

use std::borrow::Cow;

use crate::terminal::{Paint, printable};

/// Rows of `N` cells under a heading. The last column is as wide as it needs; the others are as wide
/// as their widest cell, up to a bound.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    heading: [&'static str; N],
    rows: Vec<[String; N]>,
}

/// Columns other than the last grow no wider than this; longer cells push their own row only.
const WIDEST: usize = 48;

impl<const N: usize> Table<N> {
    pub(crate) fn new(heading: [&'static str; N]) -> Self {
        Self {
            heading,
            rows: Vec::new(),
        }
    }

    /// Adds a row. What would steer the terminal is made visible here, so no caller can forget it.
    pub(crate) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| match printable(&cell) {
            Cow::Borrowed(_) => cell,
            Cow::Owned(shown) => shown,
        }));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The heading and the rows, one line each.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let widths = self.widths();
        let heading = line(&self.heading.map(str::to_owned), &widths);
        let rows = self.rows.iter().map(|row| line(row, &widths));
        let lines = std::iter::once(paint.bold(&heading).into_owned()).chain(rows);
        lines.flat_map(|line| [line, "\n".to_owned()]).collect()
    }

    fn widths(&self) -> [usize; N] {
        let mut widths = self.heading.map(width);
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell).min(WIDEST));
            }
        }
        widths
    }
}

/// One line of cells padded to these widths, two spaces between, none at the end.
pub(crate) fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, wanted) in cells.iter().zip(widths) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', wanted.saturating_sub(width(cell))));
    }
    line.truncate(line.trim_end().len());
    line
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_spaces() {
        let mut table = Table::new(["HOST", "WHY"]);
        table.row(["a.example".to_owned(), "no".to_owned()]);
        table.row(["b".to_owned(), String::new()]);
        assert_eq!(table.render(Paint::plain()), "HOST       WHY\na.example  no\nb\n");
    }

    #[test]
    fn a_cell_cannot_break_its_line_or_steer_the_terminal() {
        let mut table = Table::new(["HOST"]);
        table.row(["x\n\u{1b}[31mforged row".to_owned()]);
        assert_eq!(table.render(Paint::plain()), "HOST\nx\\n\\x1b[31mforged row\n");
    }

    #[test]
    fn a_long_cell_widens_its_own_row_only() {
        let mut table = Table::new(["PATH", "N"]);
        table.row(["p".repeat(60), "1".to_owned()]);
        table.row(["q".to_owned(), "2".to_owned()]);
        let rendered = table.render(Paint::plain());
        assert_eq!(rendered.lines().nth(2).map(str::len), Some(WIDEST + 3));
    }
}
