import Archive
import Glibc
package import System

/// A process that has a file open or locked.
package struct FileUser: Hashable, Sendable {
  /// The file, relative to the data directory.
  package let path: BytePath
  /// The process; nil if the kernel does not say: in another container, most often.
  package let pid: Int32?
  /// What it calls itself; empty if that cannot be known.
  package let program: String

  init(path: BytePath, pid: Int32?) {
    self.path = path
    self.pid = pid
    program = pid.map(Self.program) ?? ""
  }

  /// The processes that have any of these files open, as far as `/proc` tells: all there is to see of an idle connection to a
  /// database with a rollback journal, which holds no lock. Only root sees this of other users' processes; processes in
  /// other containers are not there at all.
  ///
  /// proc(5), `/proc/PID/fd`.
  static func all(of files: [FileSystem.Identity: BytePath]) -> [FileUser] {
    guard !files.isEmpty, let processes = try? FileSystem.names(in: "/proc", limit: .max) else { return [] }
    var users: Set<FileUser> = []
    for process in processes {
      guard let pid = Int32(process.lossyString), pid != getpid(),
        let descriptors = try? FileSystem.names(in: folder(of: pid, "fd"), limit: .max)
      else { continue }
      for descriptor in descriptors {
        let link = folder(of: pid, "fd").appending(descriptor)
        guard let identity = FileSystem.target(link), let path = files[identity] else { continue }
        users.insert(FileUser(path: path, pid: pid))
      }
    }
    return users.sorted { ($0.path, $0.pid ?? 0) < ($1.path, $1.pid ?? 0) }
  }

  private static func folder(of pid: Int32, _ name: BytePath) -> BytePath {
    BytePath("/proc/\(pid)").appending(name)
  }

  private static func program(_ pid: Int32) -> String {
    guard let name = try? Directory(path: "/proc/\(pid)").openFile("comm", writing: false),
      let bytes = try? name.read(atMost: 64)
    else { return "" }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }
}

extension FileUser: CustomStringConvertible {
  /// For people.
  package var description: String {
    guard let pid else { return "\(path) is locked by a process that cannot be seen from here" }
    return "\(path) is open in process \(pid)\(program.isEmpty ? "" : " (\(program))")"
  }
}
