//! The recording file system: SQLite's own file system with a recorder in front of it.
//!
//! It becomes the default of the process, so that the store under test uses it without a change. Files outside of
//! recorded folders pass through it. Syncs are never passed on: it does not matter whether the disk of this machine has
//! the bytes, and syncs would cost more than everything else.
#![allow(unsafe_code, reason = "SQLite takes a file system as a table of C functions")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi::{
    SQLITE_IOERR_FSYNC, SQLITE_OK, SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file,
    sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find, sqlite3_vfs_register,
};

use crate::disk::FileNumber;
use crate::recorder::Recorder;

/// The recorders by folder.
static FOLDERS: Mutex<BTreeMap<PathBuf, Arc<Recorder>>> = Mutex::new(BTreeMap::new());

/// SQLite's own file system, which does the work.
static BELOW: OnceLock<Below> = OnceLock::new();

struct Below(*mut sqlite3_vfs);

// SAFETY: SQLite keeps its file systems for as long as the process lives, and may itself call them from any thread.
unsafe impl Send for Below {}
// SAFETY: as above.
unsafe impl Sync for Below {}

/// What SQLite sees as an open file. The file of the underlying file system follows it in memory.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// Null for a file that is not recorded; otherwise this pointer owns the recorded file.
    watched: *mut Watched,
}

struct Watched {
    recorder: Arc<Recorder>,
    file: FileNumber,
    /// Whether the next sync also syncs the folder. SQLite does so for a log or journal that this handle created.
    syncs_folder: AtomicBool,
}

/// Puts the recording file system in front of SQLite's own, once.
pub(crate) fn register() {
    BELOW.get_or_init(|| {
        // SAFETY: a null name returns the default file system, which is never freed. It is copied, so everything except
        // opening and deleting goes to the same functions with the same data, and the copy is never freed either.
        unsafe {
            let below = sqlite3_vfs_find(std::ptr::null());
            assert!(!below.is_null(), "SQLite has a file system");
            let mut above = Box::new(*below);
            above.szOsFile += c_int::try_from(size_of::<File>()).expect("a small number");
            above.zName = c"recording".as_ptr();
            above.pNext = std::ptr::null_mut();
            above.xOpen = Some(open);
            above.xDelete = Some(delete);
            let result = sqlite3_vfs_register(Box::leak(above), 1);
            assert_eq!(result, SQLITE_OK, "the file system is registered");
            Below(below)
        }
    });
}

/// Records the folder of this recorder from now on.
pub(crate) fn record(recorder: &Arc<Recorder>) {
    folders().insert(recorder.folder().to_owned(), Arc::clone(recorder));
}

/// Stops recording files of this folder that are opened from now on.
pub(crate) fn forget(folder: &Path) {
    folders().remove(folder);
}

fn folders() -> MutexGuard<'static, BTreeMap<PathBuf, Arc<Recorder>>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the recorder of this path, and the name of the file.
fn recorder_of(path: *const c_char) -> Option<(Arc<Recorder>, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite passes paths as strings that end with a zero byte and outlive the call.
    let path = Path::new(unsafe { CStr::from_ptr(path) }.to_str().ok()?);
    let recorder = folders().get(path.parent()?).cloned()?;
    Some((recorder, path.file_name()?.to_str()?.to_owned()))
}

fn below() -> *mut sqlite3_vfs {
    BELOW.get().expect("registered before it is called").0
}

/// Returns the file of the underlying file system.
fn inner(file: *mut sqlite3_file) -> *mut sqlite3_file {
    file.cast::<File>().wrapping_add(1).cast()
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    path: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite provides `szOsFile` bytes for the file, which is room for ours and for the underlying one. The
    // underlying file system gets its own file and the unchanged arguments.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let open = (*below()).xOpen.expect("a file system can open");
        let result = open(below(), path, inner(file), flags, out);
        if result != SQLITE_OK {
            return result;
        }
        let is_log = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL) != 0;
        let recorder = if is_log || flags & SQLITE_OPEN_MAIN_DB != 0 { recorder_of(path) } else { None };
        let watched = recorder.map(|(recorder, name)| {
            let (file, is_new) = recorder.opened(&name);
            Box::into_raw(Box::new(Watched { recorder, file, syncs_folder: AtomicBool::new(is_new && is_log) }))
        });
        let file = file.cast::<File>();
        (*file).watched = watched.unwrap_or(std::ptr::null_mut());
        (*file).base.pMethods = &raw const METHODS;
        SQLITE_OK
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: the arguments are passed on unchanged, to the file system for which they are meant. The folder is not
    // synced.
    let result = unsafe { (*below()).xDelete.expect("a file system can delete")(below(), path, 0) };
    if result == SQLITE_OK
        && let Some((recorder, name)) = recorder_of(path)
    {
        recorder.deleted(&name, sync_folder != 0);
    }
    result
}

fn watched<'a>(file: *mut sqlite3_file) -> Option<&'a Watched> {
    // SAFETY: `open` set the field of every file that has these methods, and `close` is the last call.
    unsafe { (*file.cast::<File>()).watched.as_ref() }
}

fn size(number: sqlite3_int64) -> usize {
    usize::try_from(number).expect("SQLite gives places that are not negative")
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: `open` opened the file, and this is the last call for it.
    unsafe {
        let watched = std::mem::replace(&mut (*file.cast::<File>()).watched, std::ptr::null_mut());
        if !watched.is_null() {
            drop(Box::from_raw(watched));
        }
        let methods = (*inner(file)).pMethods;
        (*methods).xClose.expect("a file can be closed")(inner(file))
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: the arguments are passed on unchanged, and the bytes are readable during the call.
    unsafe {
        let methods = (*inner(file)).pMethods;
        let result = (*methods).xWrite.expect("a file can be written")(inner(file), bytes, count, offset);
        if result == SQLITE_OK
            && let Some(watched) = watched(file)
        {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), size(count.into()));
            watched.recorder.written(watched.file, size(offset), bytes);
        }
        result
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: sqlite3_int64) -> c_int {
    // SAFETY: the arguments are passed on unchanged.
    let result = unsafe {
        let methods = (*inner(file)).pMethods;
        (*methods).xTruncate.expect("a file can be truncated")(inner(file), length)
    };
    if result == SQLITE_OK
        && let Some(watched) = watched(file)
    {
        watched.recorder.truncated(watched.file, size(length));
    }
    result
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    let Some(watched) = watched(file) else { return SQLITE_OK };
    let held = watched.recorder.sync(watched.file, watched.syncs_folder.load(Ordering::Relaxed));
    if !held {
        return SQLITE_IOERR_FSYNC;
    }
    watched.syncs_folder.store(false, Ordering::Relaxed);
    SQLITE_OK
}

/// Defines functions that only pass their arguments on.
macro_rules! pass_on {
    ($($name:ident => $method:ident($($argument:ident: $kind:ty),*) $(-> $answer:ty)?;)*) => {
        $(
            unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $argument: $kind)*) $(-> $answer)? {
                // SAFETY: the arguments are passed on unchanged, to the file for which they are meant.
                unsafe {
                    let methods = (*inner(file)).pMethods;
                    (*methods).$method.expect("the file system has it")(inner(file) $(, $argument)*)
                }
            }
        )*
    };
}

pass_on! {
    read => xRead(bytes: *mut c_void, count: c_int, offset: sqlite3_int64) -> c_int;
    file_size => xFileSize(size: *mut sqlite3_int64) -> c_int;
    lock => xLock(level: c_int) -> c_int;
    unlock => xUnlock(level: c_int) -> c_int;
    check_reserved_lock => xCheckReservedLock(out: *mut c_int) -> c_int;
    file_control => xFileControl(operation: c_int, argument: *mut c_void) -> c_int;
    sector_size => xSectorSize() -> c_int;
    device_characteristics => xDeviceCharacteristics() -> c_int;
    shm_map => xShmMap(region: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    shm_lock => xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier => xShmBarrier();
    shm_unmap => xShmUnmap(delete: c_int) -> c_int;
}

/// Version 2: with shared memory, without memory-mapped reads.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
