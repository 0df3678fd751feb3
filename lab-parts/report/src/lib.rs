//! What the laboratory shows: reports of finished work, progress of work under way.

pub mod progress;
pub mod report;
