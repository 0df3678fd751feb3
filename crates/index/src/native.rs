//! The threads of the native libraries below FAISS: one, always; and how many arenas the C library's allocator has. All
//! `unsafe` of this crate is here.
//!
//! With OpenMP's default of one thread a core, a search of 32 queries over 100,000 vectors was measured to take 13 times
//! as long (two pools, OpenMP's and OpenBLAS's, spin against each other). Parallelism comes from our own threads.
#![expect(unsafe_code, reason = "these settings exist in C only")]

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::sync::Once;

/// FAISS turns to BLAS from this number of queries a call on. Measured with 100,000 x 512: 4 queries take 54 ms without
/// and 35 ms with BLAS, 16 take 217 and 44; 2 are slower with it.
const BLAS_FROM_QUERIES: c_int = 4;

/// Arenas of the C library's allocator. By default it makes one for each thread, up to eight times the number of cores, and what is free
/// in one is of no use to the others. Four cameras with dlib's embedder in one process: 252 MB instead of about 280.
const ARENAS: c_int = 2;

/// Bounds the arenas of this process. To be called before there are other threads, which would have got theirs.
pub fn limit_arenas() {
    // SAFETY: sets an integer of the allocator. It refuses no number of arenas, so there is no answer to look at.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

unsafe extern "C" {
    // From libgomp, which faiss-sys links.
    fn omp_set_num_threads(threads: c_int);
}

/// Makes the calling thread search with one thread. Cheap after the first call.
pub(crate) fn use_one_thread() {
    static PROCESS: Once = Once::new();
    PROCESS.call_once(|| {
        // SAFETY: sets a global integer, before any search of this process.
        unsafe { faiss_sys::faiss_set_distance_compute_blas_threshold(BLAS_FROM_QUERIES) };
        limit_blas(c"openblas_set_num_threads");
    });
    thread_local! {
        // OpenMP keeps its setting for each thread.
        static DONE: Cell<bool> = const { Cell::new(false) };
    }
    DONE.with(|done| {
        if !done.replace(true) {
            // SAFETY: sets the calling thread's own OpenMP setting.
            unsafe { omp_set_num_threads(1) };
        }
    });
}

/// Calls the setter if the BLAS in this process has it: OpenBLAS does, the reference BLAS has no threads.
fn limit_blas(setter: &CStr) {
    // SAFETY: a look-up among the libraries of the process, with a terminated name.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, setter.as_ptr()) };
    if symbol.is_null() {
        return;
    }
    // SAFETY: OpenBLAS declares `void openblas_set_num_threads(int)`.
    let set_threads: unsafe extern "C" fn(c_int) = unsafe { std::mem::transmute(symbol) };
    // SAFETY: as declared; it may be called at any time.
    unsafe { set_threads(1) };
}
