//! What a person sees: text on standard output, with a little colour on terminals.

mod table;

use std::io::{self, IsTerminal, Write};

pub(crate) use table::{Cell, Table};

/// How a piece of text is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// Of less interest.
    Quiet,
    /// As wished.
    Good,
    /// Not as wished.
    Bad,
    /// Refused, which may well be wished.
    Refused,
}

/// Whether to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// It is a terminal, and nobody objects.
    pub(crate) colour: bool,
}

impl Style {
    /// For standard output; NO_COLOR and dumb terminals are respected.
    pub(crate) fn of_stdout() -> Self {
        let objected = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colour: io::stdout().is_terminal() && !objected && !dumb,
        }
    }

    /// A text in its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Refused => "33",
        };
        if self.colour && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Prints text as it is. A reader that has seen enough (`| head`) ends the command quietly.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => Ok(result?),
    }
}

/// Prints a line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints a value as JSON, indented.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// What a terminal could take for a command is shown as what it is.
pub(crate) fn printable(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text.to_owned()
    }
}

/// Says something beside the output.
pub(crate) fn note(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "weir: {text}");
}

/// The time of day of a Unix time, UTC.
pub(crate) fn time_of_day(unix_s: u64) -> String {
    let second = unix_s % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// A direction in short, seen from an interface.
pub(crate) fn way(direction: &str) -> &str {
    match direction {
        "ingress" => "in",
        "egress" => "out",
        other => other,
    }
}

/// A protocol's name, or its number if it has none that people know.
pub(crate) fn protocol(number: u8) -> String {
    model::protocol::name(number).map_or_else(|| number.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_only_where_it_is_wanted() {
        let (with, without) = (Style { colour: true }, Style { colour: false });
        assert_eq!(with.paint(Tone::Good, "ok"), "\x1b[32mok\x1b[0m");
        assert_eq!(with.paint(Tone::Plain, "ok"), "ok");
        assert_eq!(with.paint(Tone::Bad, ""), "");
        assert_eq!(without.paint(Tone::Good, "ok"), "ok");
    }

    #[test]
    fn times_of_day() {
        assert_eq!(time_of_day(1_529_511_899), "16:24:59");
    }
}
