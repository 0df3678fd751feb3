//! A method in a process of its own: there, how far the resident set rises is the method's doing, and a method that takes all
//! memory ends itself alone.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use super::problem::{Problem, Solved, Stored};
use crate::interrupt::Interrupt;

/// The program that has [`one`] as a command.
const PROGRAM: &str = "sightline-lab";

/// Its name there.
const COMMAND: &str = "classify-one";

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// `sightline-lab classify-one`: for `classify` itself.
#[derive(Clone, Debug, clap::Args)]
pub struct One {
    /// What is to be learned and named
    problem: PathBuf,
    /// Where the answer goes
    answer: PathBuf,
}

/// Learns and names what another process has written down.
///
/// # Errors
/// When the files cannot be read or written. That the method cannot learn is an answer.
pub fn one(arguments: &One) -> anyhow::Result<()> {
    let stored = Stored::read(&arguments.problem)?;
    let answer = serde_json::to_vec(&stored.problem().solve())?;
    std::fs::write(&arguments.answer, answer).with_context(|| arguments.answer.display().to_string())
}

/// Solves the problem in a process of its own; where none can be had, in this one, and then how far memory rose is unknown.
pub(super) fn solve(problem: &Problem<'_>, interrupt: &Interrupt) -> Result<Solved, String> {
    let start = || -> Option<_> {
        let program =
            std::env::current_exe().ok().filter(|file| file.file_stem().is_some_and(|stem| stem == PROGRAM))?;
        let folder = tempfile::tempdir().ok()?;
        problem.write(&folder.path().join("problem")).ok()?;
        Some((program, folder))
    };
    match start() {
        Some((program, folder)) => handed_over(&program, folder.path(), interrupt),
        None => problem.solve().map(|solved| Solved { growth: None, ..solved }),
    }
}

fn handed_over(program: &Path, folder: &Path, interrupt: &Interrupt) -> Result<Solved, String> {
    let answer = folder.join("answer");
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(folder.join("problem")).arg(&answer).stdin(Stdio::null()).stdout(Stdio::null());
    let status = run(&mut command, interrupt).map_err(|error| format!("{}: {error}", program.display()))?;
    if !status.success() {
        return Err(if interrupt.asked() {
            "interrupted".to_owned()
        } else {
            format!("its process ended with {status}")
        });
    }
    let text = std::fs::read(&answer).map_err(|error| format!("its process left no answer: {error}"))?;
    serde_json::from_slice::<Result<Solved, String>>(&text)
        .map_err(|error| format!("its process left no answer: {error}"))?
}

/// Waits until it ends, or ends it when that is asked for.
fn run(command: &mut Command, interrupt: &Interrupt) -> std::io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if interrupt.asked() {
            child.kill()?;
            return child.wait();
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{One, handed_over, one, run, solve};
    use crate::classical::Sample;
    use crate::commands::classify::method::Named;
    use crate::commands::classify::problem::{Problem, Solved};
    use crate::interrupt::Interrupt;

    fn with_problem(check: impl Fn(&Problem<'_>)) {
        let samples = [[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]].map(|values| Sample::Features(values.to_vec()));
        let [a, b, c] = &samples;
        check(&Problem {
            method: Named::new("facenet"),
            people: vec!["Ann".to_owned(), "Bob".to_owned()],
            training: vec![(a, 0), (b, 1)],
            probes: vec![c],
        });
    }

    #[test]
    fn another_process_answers_the_same() {
        with_problem(|problem| {
            let folder = tempfile::tempdir().unwrap();
            let arguments = One { problem: folder.path().join("problem"), answer: folder.path().join("answer") };
            problem.write(&arguments.problem).unwrap();
            one(&arguments).unwrap();
            let answer = std::fs::read(&arguments.answer).unwrap();
            let answer: Result<Solved, String> = serde_json::from_slice(&answer).unwrap();
            let here = solve(problem, &Interrupt::default()).unwrap();
            assert_eq!(answer.unwrap().answers, here.answers);
            assert_eq!(here.growth, None, "this program is no laboratory");
        });
    }

    #[test]
    fn a_process_that_fails_says_how() {
        let folder = tempfile::tempdir().unwrap();
        let failed = |program: &str| handed_over(program.as_ref(), folder.path(), &Interrupt::default()).unwrap_err();
        assert!(failed("/bin/false").contains("its process ended with exit status: 1"));
        assert!(failed("/bin/true").contains("left no answer"));
        assert!(failed("/no/such/program").starts_with("/no/such/program: "));
    }

    #[test]
    fn an_interrupted_process_is_ended() {
        let interrupt = Interrupt::default();
        interrupt.ask();
        let start = std::time::Instant::now();
        let status = run(Command::new("/bin/sleep").arg("60"), &interrupt).unwrap();
        assert!(!status.success() && start.elapsed().as_secs() < 30);
    }
}
