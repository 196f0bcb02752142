//! `SOURCE… DEST`, with options before, between and behind: the last of the words is where the others go.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

const WORDS: &str = "ends";

/// What goes where.
#[derive(Clone, Debug)]
pub struct Ends {
    /// At least one.
    pub sources: Vec<OsString>,
    /// Where they go.
    pub dest: String,
}

impl Args for Ends {
    fn augment_args(command: Command) -> Command {
        let usage = format!("lanthorn {} [OPTIONS] <SOURCE>... <DEST>", command.get_name());
        let words = Arg::new(WORDS).num_args(1..).required(true).value_parser(value_parser!(OsString));
        let words = words.value_names(["SOURCE", "DEST"]).help(
            "What, and last where to: a folder that is there, or the new name of a single SOURCE. Places in shares are written \
             DEVICE:SHARE/PATH",
        );
        command.override_usage(usage).arg(words)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Ends {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let words = matches.get_many::<OsString>(WORDS).unwrap_or_default();
        let mut sources: Vec<OsString> = words.cloned().collect();
        let dest = sources.pop().filter(|_| !sources.is_empty());
        let wrong = |kind, why: &str| Error::raw(kind, format!("{why}\n"));
        let dest =
            dest.ok_or_else(|| wrong(ErrorKind::TooFewValues, "it is not said where to: SOURCE... DEST"))?;
        let dest = dest.into_string().map_err(|_| {
            wrong(ErrorKind::InvalidUtf8, "DEST is no UTF-8: bytes that are none are written \\xHH")
        })?;
        Ok(Self { sources, dest })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Ends, ErrorKind> {
        let command = Ends::augment_args(Command::new("put")).arg(Arg::new("clash").long("clash"));
        let matches = command.try_get_matches_from(words).map_err(|error| error.kind())?;
        Ends::from_arg_matches(&matches).map_err(|error| error.kind())
    }

    #[test]
    fn options_may_stand_anywhere() {
        for words in [
            ["put", "--clash", "skip", "a", "-", "B:c"],
            ["put", "a", "--clash", "skip", "-", "B:c"],
            ["put", "a", "-", "--clash", "skip", "B:c"],
            ["put", "a", "-", "B:c", "--clash", "skip"],
        ] {
            let ends = parse(&words).unwrap();
            assert_eq!((ends.sources, &*ends.dest), (vec!["a".into(), "-".into()], "B:c"), "{words:?}");
        }
        assert_eq!(parse(&["put", "a"]).unwrap_err(), ErrorKind::TooFewValues);
        assert_eq!(parse(&["put"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
    }
}
