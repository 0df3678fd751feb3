//! The commands that do their work and end.

pub(crate) mod camera;
pub(crate) mod config;
pub(crate) mod detect;
pub(crate) mod doctor;
pub(crate) mod embed;
pub(crate) mod events;
pub(crate) mod lab;
pub(crate) mod models;
pub(crate) mod people;
mod picture;
pub(crate) mod search;
