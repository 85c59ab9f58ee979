//! What a command with `--json` told, as values.
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::process::{self, Outcome};

/// The events of one command and how it ended.
#[derive(Clone, Debug)]
pub struct Told {
    /// How the command ended.
    pub outcome: Outcome,
    /// Its events in order.
    pub events: Vec<Value>,
}

impl Told {
    /// Runs a command of the client whose arguments hold `--json`.
    ///
    /// # Errors
    /// When it does not end within `limit`, or a line of its output is no JSON.
    pub fn by(command: Command, limit: Duration) -> Result<Self, String> {
        let outcome = process::run(command, b"", limit)?;
        let events = outcome
            .stdout_text()
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|error| format!("{error} in `{line}`")))
            .collect::<Result<_, _>>()?;
        Ok(Self { outcome, events })
    }

    /// The events of one kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["event"] == kind)
    }

    /// How often something ran in a phase; 0 when the phase is not told.
    #[must_use]
    pub fn executed(&self, phase: &str) -> u64 {
        self.of_kind("phase_finished")
            .filter(|event| event["phase"] == phase)
            .filter_map(|event| event["executed"].as_u64())
            .sum()
    }

    /// The diagnostics in order, without the circumstances of the command that told them.
    #[must_use]
    pub fn diagnostics(&self) -> Vec<&Map<String, Value>> {
        self.of_kind("diagnostic").filter_map(|event| event["diagnostic"].as_object()).collect()
    }

    /// The SHA-256 of the executable, if one was made.
    #[must_use]
    pub fn executable(&self) -> Option<&str> {
        self.of_kind("artifact").find(|event| event["kind"] == "executable")?["sha256"].as_str()
    }

    /// What it said to people, for the message of a failed test.
    #[must_use]
    pub fn said(&self) -> String {
        let codes = self.diagnostics().into_iter().map(|one| format!("{} {}\n", one["code"], one["message"]));
        format!("status {}\n{}{}", self.outcome.status, codes.collect::<String>(), self.outcome.stderr_text())
    }
}
