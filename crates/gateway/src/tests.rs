//! The API as clients see it, over real connections; behind it services that keep everything in memory.

mod cameras;
mod events;
mod failures;
mod house;
mod http;
mod limits;
mod people;
mod pictures;
mod random;
mod services;
