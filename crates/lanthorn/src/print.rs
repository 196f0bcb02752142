//! What commands say on standard output: lines, tables, one JSON document. Knows terminals, no command.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use proto::clock::skew_notice;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;
use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";

/// Says one line. What somebody else named cannot steer the terminal.
pub fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(harmless(text).as_bytes())?;
    Ok(out.write_all(b"\n")?)
}

/// Shows a text to cameras.
pub fn qr(text: &str) -> Result<()> {
    // What is too long for one is not shown.
    let Ok(code) = QrCode::new(text) else { return Ok(()) };
    let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    drawn.lines().try_for_each(line)
}

/// Says something beside the result, on standard error.
#[expect(clippy::print_stderr, reason = "this is where remarks are printed")]
pub fn remark(text: &str) {
    eprintln!("{}", harmless(text));
}

/// Says that this machine's clock is wrong, if it is, by the clock of a coordinator.
pub fn remark_on_clock(theirs: Option<OffsetDateTime>) {
    let ahead = theirs.map(|theirs| OffsetDateTime::now_utc() - theirs);
    if let Some(notice) = ahead.and_then(|ahead| skew_notice(ahead, "this machine")) {
        remark(&format!("{} {}", notice.message, notice.hint));
    }
}

/// Says one JSON document.
pub fn json(document: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(io::stdout().lock().write_all(&text)?)
}

/// The same text with control characters as `\xHH`.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| safe.push_str(&format!("\\x{byte:02x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Which way a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings, columns as wide as what is in them.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| harmless(&cell)).collect());
    }

    /// Says the table; headings stand out on a terminal that shows colours.
    pub fn print(&self) -> Result<()> {
        let bold = io::stdout().is_terminal() && shows_colours(|name| std::env::var(name).ok());
        Ok(io::stdout().lock().write_all(self.text(bold).as_bytes())?)
    }

    fn text(&self, bold: bool) -> String {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.rows.iter().map(|row| row[at].width());
                cells.chain([column.0.width()]).max().unwrap_or_default()
            })
            .collect();
        let headings: Vec<String> = self.columns.iter().map(|column| column.0.to_owned()).collect();
        let mut text = String::new();
        let (on, off) = if bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        text.push_str(&format!("{on}{}{off}\n", self.set(&headings, &widths)));
        for row in &self.rows {
            text.push_str(&self.set(row, &widths));
            text.push('\n');
        }
        text
    }

    fn set(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let fill = " ".repeat(width.saturating_sub(cell.width()));
            line.push_str(&if *align == Align::Left {
                format!("{cell}{fill}")
            } else {
                format!("{fill}{cell}")
            });
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Whether a terminal with this environment takes colours, and is asked for them.
pub fn shows_colours(variable: impl Fn(&str) -> Option<String>) -> bool {
    variable("NO_COLOR").is_none_or(|value| value.is_empty())
        && variable("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Bytes as people read them: three digits and a unit.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1000.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A time to the minute, in UTC.
pub fn time(at: Option<OffsetDateTime>) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    let text = at.and_then(|at| at.to_offset(time::UtcOffset::UTC).format(format).ok());
    text.unwrap_or_else(|| "-".into())
}

/// A time to the second, in UTC.
pub fn time_exactly(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_else(|_| "-".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let mut table = Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right), ("X", Align::Left)]);
        table.row(["日本".into(), "7 B".into(), "a".into()]);
        table.row(["été".into(), "10 B".into(), String::new()]);
        assert_eq!(table.text(false), "NAME  SIZE  X\n日本   7 B  a\nété   10 B\n");
        assert!(table.text(true).starts_with("\x1b[1mNAME"));
    }

    #[test]
    fn no_name_steers_the_terminal() {
        assert_eq!(harmless("a\x1b[31m\nb\u{85}é"), "a\\x1b[31m\\x0ab\\xc2\\x85é");
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        for (no_color, term, shown) in [
            (None, Some("xterm"), true),
            (None, None, true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (None, Some("dumb"), false),
        ] {
            let variable = |name: &str| if name == "TERM" { term } else { no_color }.map(str::to_owned);
            assert_eq!(shows_colours(variable), shown, "{no_color:?} {term:?}");
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_999, "1.00 MB"),
            (5_368_709_120, "5.37 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
