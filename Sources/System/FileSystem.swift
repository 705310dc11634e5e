import Glibc

/// System calls by path. None of them opens a file of the data directory: only `PlainFile` and SQLite do.
package enum FileSystem {
  /// The corresponding C function is `lstat`: links are not followed.
  package static func status(_ path: BytePath) throws(SystemError) -> Status {
    var status = stat()
    guard unsafe lstat(path.cString, &status) == 0 else { throw SystemError(call: "lstat", errno: errno) }
    return Status(status)
  }

  /// What an open file is. The corresponding C function is `fstat`.
  ///
  /// - Throws: also `EBADF`, for a descriptor that was passed to this process and is none.
  package static func status(of descriptor: CInt) throws(SystemError) -> Status {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw SystemError(call: "fstat", errno: errno) }
    return Status(status)
  }

  /// Whether it can be told that there is nothing of this name.
  package static func isMissing(_ path: BytePath) -> Bool {
    do throws(SystemError) { _ = try status(path) } catch { return error.isMissing }
    return false
  }

  /// Which file a link leads to. The corresponding C function is `stat`.
  package static func target(_ link: BytePath) -> Identity? {
    var status = stat()
    return unsafe stat(link.cString, &status) == 0 ? Status(status).identity : nil
  }

  /// The absolute path without links. The corresponding C function is `realpath`.
  package static func canonical(_ path: BytePath) throws(SystemError) -> BytePath {
    guard let resolved = unsafe realpath(path.cString, nil) else {
      throw SystemError(call: "realpath", errno: errno)
    }
    defer { unsafe free(resolved) }
    return unsafe BytePath((0..<strlen(resolved)).map { unsafe UInt8(bitPattern: resolved[$0]) })
  }

  /// The names in a directory, each as its bytes, without `.` and `..`, in no order.
  ///
  /// The corresponding C functions are `opendir` and `readdir`.
  /// - Parameter limit: so many at the most are read.
  package static func names(in directory: BytePath, limit: Int) throws(SystemError) -> [BytePath] {
    guard let stream = unsafe opendir(directory.cString) else {
      throw SystemError(call: "opendir", errno: errno)
    }
    defer { unsafe closedir(stream) }
    var names: [BytePath] = []
    while names.count < limit {
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        guard errno == 0 else { throw SystemError(call: "readdir", errno: errno) }
        break
      }
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
        unsafe BytePath(Array($0.prefix { $0 != 0 }))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Whether a name or a path matches a shell pattern; `*` and `?` match no slash.
  ///
  /// The locale is C, so each byte is a character. The corresponding C function is `fnmatch`.
  package static func matches(_ name: BytePath, _ pattern: String) -> Bool {
    unsafe fnmatch(pattern, name.cString, FNM_PATHNAME) == 0
  }

  /// The wall clock: nanoseconds since 1970.
  package static func now() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Opens a file to read it, through links if there are any. It does not wait for the other end of a pipe.
  ///
  /// The corresponding C function is `open`.
  package static func openFile(_ path: BytePath) throws(SystemError) -> Descriptor {
    let opened = unsafe Glibc.open(path.cString, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard opened >= 0 else { throw SystemError(call: "open", errno: errno) }
    return Descriptor(owning: opened)
  }

  /// Opens an archive, a file or a pipe. It does not wait for the other end of a pipe: `ZipStream` does.
  ///
  /// - Throws: `EISDIR` for a directory.
  package static func openArchive(_ path: BytePath) throws(SystemError) -> Descriptor {
    let descriptor = try openFile(path)
    guard try descriptor.status().kind != .directory else {
      throw SystemError(call: "open", errno: EISDIR)
    }
    return descriptor
  }

  // MARK: temporary files

  /// Makes a folder that only we can enter, with a name that no other has. The corresponding C function is `mkdtemp`.
  package static func makeTemporaryFolder(
    in directory: BytePath, prefix: BytePath
  ) throws(SystemError) -> BytePath {
    var template = directory.appending(prefix + "XXXXXX").cString
    guard unsafe mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp", errno: errno) }
    return BytePath(template.dropLast().map { UInt8(bitPattern: $0) })
  }

  /// Makes a file that no other user may read. The corresponding C function is `open`.
  package static func makeFile(_ path: BytePath) throws(SystemError) -> Descriptor {
    let opened = unsafe Glibc.open(path.cString, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard opened >= 0 else { throw SystemError(call: "open", errno: errno) }
    return Descriptor(owning: opened)
  }

  /// Removes a name. The corresponding C function is `unlink`.
  package static func remove(_ path: BytePath) throws(SystemError) {
    guard unsafe unlink(path.cString) == 0 else { throw SystemError(call: "unlink", errno: errno) }
  }

  /// Removes a folder if it is empty. The corresponding C function is `rmdir`.
  package static func removeDirectory(_ path: BytePath) { _ = unsafe rmdir(path.cString) }

  package static let standardInput = STDIN_FILENO

  /// As whom this process runs. The corresponding C function is `geteuid`.
  package static func user() -> UInt32 { geteuid() }

  /// Lets time pass before a locked file is asked for again: long for a lock, short for a person.
  package static func pause() { usleep(5_000) }
}
