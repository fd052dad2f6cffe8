//! The documents of a directory of policies: which files there are documents, in which order, how many
//! there may be, and their bytes. What they mean is not looked at here.

use std::path::Path;

use crate::diagnostic::{Checked, Code, Diagnostic, Place};
use crate::fs::Workspace;
use crate::fs::read::read_own;

/// More documents than this are no set that anybody reviewed.
const MOST: usize = 200;

/// True for the name of a file that would be a document.
pub fn is_document(name: &str) -> bool {
    let end = Path::new(name).extension();
    end.is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
}

/// Every document in directories of a workspace, not below them, each by its path with its bytes, and
/// what is wrong with the others. A link is followed inside the workspace only.
pub fn read(
    workspace: &Workspace,
    directories: &[&str],
    limit: u64,
) -> (Vec<(String, Vec<u8>)>, Vec<Diagnostic>) {
    let files = match list(workspace, directories) {
        Ok(files) => files,
        Err(problem) => return (Vec::new(), vec![*problem]),
    };
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match read_own(workspace, &file, limit) {
            Ok(Some(bytes)) => documents.push((file, bytes)),
            // It may be the one that denies, so it is not as good as one that was never there.
            Ok(None) => problems.push(gone(&file)),
            Err(problem) => problems.push(*problem),
        }
    }
    (documents, problems)
}

/// What `compile` makes of all those documents. Fails with what is wrong with the files and with what
/// they say, all of it at once.
pub fn load<T>(
    workspace: &Workspace,
    directories: &[&str],
    limit: u64,
    compile: impl FnOnce(&[(String, Vec<u8>)]) -> Result<T, Vec<Diagnostic>>,
) -> Result<T, Vec<Diagnostic>> {
    let (documents, mut problems) = read(workspace, directories, limit);
    match compile(&documents) {
        Ok(compiled) if problems.is_empty() => return Ok(compiled),
        Ok(_) => {}
        Err(found) => problems.extend(found),
    }
    Err(problems)
}

fn list(workspace: &Workspace, directories: &[&str]) -> Checked<Vec<String>> {
    let mut files = Vec::new();
    for directory in directories {
        let mut names = workspace.list(directory)?;
        names.retain(|name| is_document(name));
        names.sort();
        files.extend(names.iter().map(|name| format!("{directory}/{name}")));
    }
    if files.len() > MOST {
        let first = directories.first().copied().unwrap_or_default();
        return Err(Box::new(
            Diagnostic::new(
                Code::FileTooLarge,
                Place::file(first),
                "there are too many documents",
            )
            .found(format!("{} files", files.len()))
            .expected(format!("at most {MOST}"))
            .help("move away what is no policy"),
        ));
    }
    Ok(files)
}

fn gone(file: &str) -> Diagnostic {
    Diagnostic::new(
        Code::FileUnreadable,
        Place::file(file),
        "the document was there and is gone",
    )
    .found("no file")
    .expected("the document that the directory lists")
    .help("ask again once nobody changes the directory")
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests make the directory that is read"
)]
mod tests {
    use super::*;

    fn workspace(files: &[&str]) -> (tempfile::TempDir, Workspace) {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let workspace = Workspace::open(directory.path()).unwrap();
        (directory, workspace)
    }

    #[test]
    fn documents_come_in_the_order_of_directories_and_names() {
        let (_directory, workspace) = workspace(&[
            "a/z.yml",
            "a/b.json",
            "a/m.yaml",
            "a/m.yaml~",
            "a/README.md",
            "a/below/x.yaml",
            "b/a.yaml",
        ]);
        let (documents, problems) = read(&workspace, &["b", "a", "absent"], 100);
        let files: Vec<&str> = documents.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(files, ["b/a.yaml", "a/b.json", "a/m.yaml", "a/z.yml"]);
        assert!(
            documents
                .iter()
                .all(|(file, bytes)| file.as_bytes() == bytes)
        );
        assert_eq!(problems, []);
    }

    #[test]
    fn what_cannot_be_read_is_told_beside_what_can_and_nothing_is_made_of_it() {
        let (directory, workspace) = workspace(&["a/long.yaml", "a/s.yaml"]);
        std::os::unix::fs::symlink("nowhere", directory.path().join("a/gone.yaml")).unwrap();
        std::fs::create_dir(directory.path().join("a/odd.yaml")).unwrap();
        let (documents, problems) = read(&workspace, &["a"], 8);
        assert_eq!(documents.len(), 1);
        let told: Vec<(&str, Code)> = problems
            .iter()
            .map(|problem| (problem.place.file.as_str(), problem.code))
            .collect();
        assert_eq!(
            told,
            [
                ("a/gone.yaml", Code::LinkDangling),
                ("a/long.yaml", Code::FileTooLarge),
                ("a/odd.yaml", Code::FileNotRegular),
            ]
        );
        let whole = load(&workspace, &["a"], 100, |documents| Ok(documents.len()));
        assert_eq!(whole.unwrap_err().len(), 2);
    }

    #[test]
    fn too_many_documents_are_none() {
        let names: Vec<String> = (0..=MOST)
            .map(|number| format!("a/{number}.yaml"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (_directory, workspace) = workspace(&names);
        let (documents, problems) = read(&workspace, &["a"], 100);
        assert_eq!((documents.len(), problems.len()), (0, 1));
        assert_eq!(problems[0].code, Code::FileTooLarge);
    }
}
