//! Gallery search, fusion, open-set decision, clustering of unknowns; the only crate that knows FAISS.
