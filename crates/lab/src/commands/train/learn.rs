//! The training loop at the terminal: a line an epoch, a checkpoint an epoch, and an end in order on Ctrl-C.

use std::ops::ControlFlow;

use anyhow::Context as _;

use super::Workplace;
use crate::progress::Progress;
use crate::train::{EmbeddingConfig, EpochReport, Outcome, Start, StepReport, Trainer};

/// What the figures of an epoch are called.
pub(super) struct Names {
    active: &'static str,
    rate: &'static str,
    /// A line for one of so many epochs, and for the first and the last.
    every: u32,
}

/// For triplets.
pub(super) const TRIPLETS: Names = Names { active: "active", rate: "true accept rate", every: 1 };

/// For a classifier.
pub(super) const CLASSES: Names = Names { active: "wrong", rate: "right", every: 10 };

/// Trains until it ends or is asked to stop. What stands in the checkpoint then is all of it.
///
/// # Errors
/// When the checkpoint cannot be written, or training leaves the numbers.
pub(super) fn learn(trainer: &mut Trainer, work: &Workplace, names: &Names) -> anyhow::Result<Outcome> {
    let file = &work.checkpoint;
    // Before the first step: a folder that is not there or a disk that is full shows now.
    trainer.save(file).context("the checkpoint cannot be written, nothing was trained")?;
    let (mut progress, mut first, mut unsaid) = (None, true, None);
    loop {
        let mut ended = None;
        let outcome = trainer.run(|report: &StepReport| {
            let progress =
                progress.get_or_insert_with(|| Progress::resumed("training steps", report.steps, report.step - 1));
            progress.advance(1);
            ended.clone_from(&report.epoch);
            if ended.is_some() || work.interrupt.asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let outcome =
            outcome.with_context(|| format!("training ended; {} has the last whole epoch", file.display()))?;
        if let (Some(epoch), Some(progress)) = (&ended, &progress) {
            let text = line(epoch, trainer.best().epoch, names);
            if first || epoch.epoch.is_multiple_of(names.every) {
                progress.say(&text);
                unsaid = None;
            } else {
                unsaid = Some(text);
            }
            first = false;
        }
        if outcome != Outcome::Interrupted {
            unsaid.iter().zip(&progress).for_each(|(text, progress)| progress.say(text));
            return Ok(outcome);
        }
        trainer.save(file).with_context(|| {
            let epoch = trainer.history().len().saturating_sub(1);
            format!(
                "the checkpoint of epoch {epoch} cannot be written; the one before is whole: make room and --resume"
            )
        })?;
        if work.interrupt.asked() {
            return Ok(outcome);
        }
    }
}

/// An epoch in a line.
fn line(epoch: &EpochReport, best: u32, names: &Names) -> String {
    let share = |share: Option<f64>| share.map_or_else(|| "none".to_owned(), |share| format!("{:.2} %", 100.0 * share));
    let loss = epoch.loss.map_or_else(|| "none".to_owned(), |loss| format!("{loss:.5}"));
    let mark = if best == epoch.epoch { ", the best so far" } else { "" };
    format!(
        "epoch {}: loss {loss}, {} {}; held out: loss {:.5}, {} {}{mark}",
        epoch.epoch,
        names.active,
        share(epoch.active),
        epoch.held_out_loss,
        names.rate,
        share(epoch.held_out_rate)
    )
}

/// What may help where a training cannot begin.
pub(super) fn way_out(config: &EmbeddingConfig) -> String {
    let start = if config.start == Start::Pca {
        "; a head of few pictures takes a smaller --dimension, or --start random"
    } else {
        ""
    };
    let share = config.held_out;
    format!("no training with these people and settings (--held-out {share} of those in training judge it{start})")
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, TRIPLETS, line};
    use crate::train::EpochReport;

    #[test]
    fn an_epoch_in_a_line() {
        let epoch = EpochReport {
            epoch: 7,
            loss: Some(0.123_456),
            active: Some(0.25),
            held_out_loss: 0.02,
            held_out_rate: Some(0.9),
        };
        assert_eq!(
            line(&epoch, 7, &TRIPLETS),
            "epoch 7: loss 0.12346, active 25.00 %; held out: loss 0.02000, true accept rate 90.00 %, the best so far"
        );
        let nothing = EpochReport { loss: None, active: None, held_out_rate: None, ..epoch };
        let text = line(&nothing, 3, &CLASSES);
        assert_eq!(text, "epoch 7: loss none, wrong none; held out: loss 0.02000, right none");
    }
}
