//! Which recognisers there are, by the names that the command takes.

use anyhow::{Context as _, bail};
use sightline_infer::ModelStore;

use crate::classical::{Eigenfaces, EigenfacesSvm, Lbph, LinearSvm, Method};

/// Behind an embedder's name: support vector machines over its vectors instead of the nearest mean.
const SVM: &str = "-svm";

/// What a method sees of a picture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sees {
    /// A small gray picture, as scikit-learn's eigenfaces do.
    Small,
    /// A gray picture at the size it was cut, for patterns of single pixels.
    Full,
    /// The vector of this embedder.
    Vector(String),
}

/// A recogniser with its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) sees: Sees,
    pub(super) method: Method,
}

impl Named {
    /// By its name; every other name is an embedder's.
    pub(super) fn new(name: &str) -> Self {
        let (sees, method) = match name {
            "eigenfaces" => (Sees::Small, Method::Eigenfaces(Eigenfaces::default())),
            "eigenfaces-svm" => (Sees::Small, Method::EigenfacesSvm(EigenfacesSvm::default())),
            "lbph" => (Sees::Full, Method::Lbph(Lbph::default())),
            _ => match name.strip_suffix(SVM) {
                Some(embedder) => (Sees::Vector(embedder.to_owned()), Method::LinearSvm(LinearSvm::default())),
                None => (Sees::Vector(name.to_owned()), Method::NearestMean),
            },
        };
        Self { name: name.to_owned(), sees, method }
    }

    /// The embedder that makes its vectors.
    pub(super) fn embedder(&self) -> Option<&str> {
        match &self.sees {
            Sees::Vector(embedder) => Some(embedder),
            Sees::Small | Sees::Full => None,
        }
    }
}

/// Whether every embedder exists, before hours go into the first one.
pub(super) fn check(methods: &[Named], store: &ModelStore) -> anyhow::Result<()> {
    for method in methods {
        if let Some(embedder) = method.embedder() {
            let name = &method.name;
            let known =
                "is none of eigenfaces, eigenfaces-svm and lbph, so it must be an embedder, or one with -svm behind it";
            store.embedder(embedder).with_context(|| format!("--methods: {name} {known}"))?;
        }
    }
    Ok(())
}

/// What `--embedder` takes where embedders come with the methods' names: its default alone.
pub(super) fn no_embedder(name: &str) -> Result<String, String> {
    match name {
        "facenet" => Ok(name.to_owned()),
        _ => Err(format!("embedders are methods here, as in --methods {name},{name}-svm")),
    }
}

/// The methods, each once. Whether an embedder exists is seen when it is opened.
pub(super) fn parse(names: &[String]) -> anyhow::Result<Vec<Named>> {
    let mut methods: Vec<Named> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name.is_empty() || name == SVM {
            bail!("--methods takes names separated by commas, such as facenet,eigenfaces-svm");
        }
        if methods.iter().all(|method| method.name != name) {
            methods.push(Named::new(name));
        }
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use super::{Sees, parse};
    use crate::classical::Method;

    #[test]
    fn names_are_methods_and_embedders() {
        let words = ["facenet", "facenet-svm", "eigenfaces", "eigenfaces-svm", " lbph", "facenet", "mine-v2"];
        let methods = parse(&words.map(str::to_owned)).unwrap();
        let names: Vec<&str> = methods.iter().map(|method| method.name.as_str()).collect();
        assert_eq!(names, ["facenet", "facenet-svm", "eigenfaces", "eigenfaces-svm", "lbph", "mine-v2"]);
        assert!(methods[0].method == Method::NearestMean && methods[0].embedder() == Some("facenet"));
        assert!(matches!(methods[1].method, Method::LinearSvm(_)) && methods[1].embedder() == Some("facenet"));
        assert!(matches!(methods[3].method, Method::EigenfacesSvm(_)) && methods[3].sees == Sees::Small);
        assert_eq!((methods[4].embedder(), methods[5].embedder()), (None, Some("mine-v2")));
        for words in [vec![""], vec!["-svm"], vec!["lbph", " "]] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert!(parse(&words).unwrap_err().to_string().contains("--methods"));
        }
    }
}
