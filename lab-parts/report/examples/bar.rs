//! Progress to look at; not to be kept.
use std::time::Duration;
use labreport::progress::Progress;
fn main() {
    let p = Progress::resumed("embedding", 300, 100);
    for i in 0..150 { std::thread::sleep(Duration::from_millis(20)); p.advance(1); if i == 70 { p.say("skipped x.txt: not a picture"); } }
    drop(p);
    let p = Progress::endless("collecting");
    for _ in 0..50 { std::thread::sleep(Duration::from_millis(20)); p.advance(1); }
}
