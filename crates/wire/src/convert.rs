//! Between domain types and protobuf, checked on the way in: what passes here holds its invariants everywhere.

mod checks;
mod messages;

/// The generated code. Private: nobody else sees it.
#[expect(clippy::pedantic, unreachable_pub, reason = "generated code; the .proto files are documented")]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/sightline.v1.rs"));
}
