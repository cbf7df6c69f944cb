//! The directory of a pack while it is written: every file hashed as it goes out, owner-only, on disk before it is named.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::evidence::merkle::hex;
use crate::evidence::pack::FileNote;

/// A pack in the making.
#[derive(Debug)]
pub(super) struct PackDir {
    dir: PathBuf,
    files: Vec<FileNote>,
}

impl PackDir {
    /// Begins one in a directory that is emptied first: what lies there is an earlier one that was not finished.
    pub(super) fn begin(dir: &Path) -> std::io::Result<Self> {
        if dir.exists() {
            std::fs::remove_dir_all(dir)?;
        }
        make_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            files: Vec::new(),
        })
    }

    /// Where it lies while it is written.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// Makes a directory inside.
    pub(super) fn directory(&self, name: &str) -> std::io::Result<()> {
        make_dir(&self.dir.join(name))
    }

    /// Writes a file whole.
    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = self.open(path)?;
        file.write_all(bytes)?;
        self.close(path, file)
    }

    /// Opens a file to be written piece by piece; give it back to [`PackDir::close`].
    pub(super) fn open(&self, path: &str) -> std::io::Result<Hashed> {
        Ok(Hashed {
            file: BufWriter::new(new_file(&self.dir.join(path))?),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    /// Ends a file and lists it.
    pub(super) fn close(&mut self, path: &str, file: Hashed) -> std::io::Result<()> {
        let Hashed { file, hash, bytes } = file;
        let file = file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.sync_all()?;
        self.files.push(FileNote {
            path: path.to_owned(),
            bytes,
            sha256: hex(&hash.finalize()),
        });
        Ok(())
    }

    /// The list so far, by path.
    pub(super) fn files(&self) -> Vec<FileNote> {
        let mut files = self.files.clone();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }
}

/// A file that hashes what passes.
#[derive(Debug)]
pub(super) struct Hashed {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Makes an owner-only directory.
pub(super) fn make_dir(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
