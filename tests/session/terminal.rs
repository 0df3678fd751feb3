//! Somebody at a terminal: what is typed, what is said.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use sightline_testkit::process::{program, signal};
use sightline_tests::{PATIENCE, wait_until};

/// Somebody at a terminal, in the folder where the pictures and the configuration are.
pub(crate) struct Session<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) server: String,
}

impl Session<'_> {
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("sightline").unwrap());
        command.current_dir(self.folder).args(["--server", &self.server]).args(words);
        command
    }

    pub(crate) fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What is said by a command that must succeed, and says nothing else.
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let output = self.output(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && errors.is_empty(), "{words:?}: {}: {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same for programs: one value a line.
    pub(crate) fn json(&self, words: &[&str]) -> Vec<Value> {
        parsed(&self.done(&[&["-o", "json"], words].concat()))
    }

    /// The complaint of a command that must fail with this exit code.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) -> String {
        let output = self.output(words);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {complaint}");
        complaint
    }

    /// Name and number of templates of everybody.
    pub(crate) fn people(&self) -> Vec<(String, u64)> {
        let row = |person: &Value| (person["name"].as_str().unwrap().to_owned(), person["templates"].as_u64().unwrap());
        self.json(&["people", "list"]).iter().map(row).collect()
    }

    /// The events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.json(&["events"])
    }

    pub(crate) fn wait_for_events(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let mut events = Vec::new();
        let found = wait_until(what, PATIENCE, || {
            events = self.events();
            wanted(&events)
        });
        found.unwrap_or_else(|error| panic!("{error}: {events:#?}"));
        events
    }
}

/// One JSON value for each line.
pub(crate) fn parsed(text: &str) -> Vec<Value> {
    let value = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(value).collect()
}

pub(crate) fn expect(names: &[(&str, u64)]) -> Vec<(String, u64)> {
    names.iter().map(|(name, templates)| ((*name).to_owned(), *templates)).collect()
}

/// The cells of each line of a table; they are at least two blanks apart.
pub(crate) fn cells(table: &str) -> Vec<Vec<&str>> {
    let of = |line| str::split(line, "  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    table.lines().map(of).collect()
}

/// `sightline events --follow`; ended by its id.
pub(crate) struct Follower {
    child: Child,
    lines: Receiver<String>,
    pub(crate) seen: Vec<Value>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            // Only to leave no zombie.
            drop(self.child.wait());
        }
    }
}

impl Follower {
    /// What it complains about is in the file `complaints`.
    pub(crate) fn start(session: &Session<'_>, after: Option<u64>) -> Self {
        let after: Vec<String> = after.iter().map(|after| format!("--after={after}")).collect();
        let complaints = File::create(session.folder.join("complaints")).unwrap();
        let mut command = session.command(&["-o", "json", "events", "--follow"]);
        let mut child = command.args(after).stdout(Stdio::piped()).stderr(complaints).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1000);
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads for a while.
    pub(crate) fn read(&mut self, patience: Duration) {
        if let Ok(line) = self.lines.recv_timeout(patience) {
            self.seen.extend(parsed(&line));
        }
    }

    /// Reads on until the events so far are as wanted.
    pub(crate) fn read_until(&mut self, what: &str, wanted: impl Fn(&[Value]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("{what}: only {:#?}", self.seen) };
            self.seen.extend(parsed(&line));
        }
    }

    /// All it has printed.
    pub(crate) fn end(mut self) -> Vec<Value> {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
        // Not INT: a shell that starts the tests in the background has it ignored, in all that they start too.
        signal(self.child.id(), "TERM").unwrap();
        assert_ne!(self.child.wait().unwrap().code(), Some(0));
        let rest: Vec<String> = self.lines.iter().collect();
        self.seen.extend(rest.iter().flat_map(|line| parsed(line)));
        std::mem::take(&mut self.seen)
    }
}
