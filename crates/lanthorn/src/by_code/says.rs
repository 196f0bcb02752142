//! What is said while something goes by a code: to people as remarks, to programs as one JSON object a line.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use serde_json::{Value, json};

use super::places::Place;
use crate::print;

/// How it is said.
#[derive(Clone, Copy, Debug)]
pub struct Says {
    /// To programs.
    pub json: bool,
}

impl Says {
    /// Something happened: these are its fields for programs, and a sentence for people.
    pub fn event(self, name: &str, fields: Value, sentence: &str) {
        if !self.json {
            return print::remark(sentence);
        }
        let mut event = json!({ "event": name });
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        // Who has heard enough is told nothing more.
        let _ = writeln!(std::io::stdout().lock(), "{event}");
    }

    /// A code that can be taken from now on.
    pub fn code(self, code: &str, link: Option<&str>, place: &Place) -> Result<()> {
        if self.json {
            let rendezvous = json!({ "name": place.name, "address": place.authority() });
            self.event("code", json!({ "code": code, "link": link, "rendezvous": rendezvous }), "");
            return Ok(());
        }
        print::line(&format!("Code  {code}"))?;
        if let Some(link) = link {
            print::line(&format!("Link  {link}"))?;
        }
        if std::io::stdout().is_terminal() {
            print::qr(link.unwrap_or(code))?;
        }
        print::remark(&format!("On the other machine: lanthorn receive {code}"));
        print::remark(&format!("They meet at {}. Ctrl-C takes it back.", place.name));
        Ok(())
    }
}
