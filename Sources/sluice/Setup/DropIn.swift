import EventLoop
import Glibc
import Service
import System

/// A file that adds to a unit what is true on this host only; see systemd.unit(5).
struct DropIn {
  enum Kind: String, CaseIterable { case service, socket }

  let path: String
  let content: String

  static func path(_ unit: String, _ kind: Kind) -> String {
    "/etc/systemd/system/\(unit).\(kind).d/50-sluice-setup.conf"
  }

  init(_ kind: Kind, of unit: String, _ lines: [String]) {
    path = Self.path(unit, kind)
    content =
      ([
        "# Written by sluice setup, which replaces it. What you add belongs into another file: systemctl edit."
      ]
      + lines).map { $0 + "\n" }.joined()
  }

  /// The service of a data directory, run as its owner.
  init(service unit: String, _ owner: DataOwner) {
    var lines = [
      "[Service]", "DynamicUser=no", "User=\(owner.user)", "Group=\(owner.group)",
      "Environment=\("SLUICE_DATA=\(owner.path)".unitQuoted)",
      "ReadWritePaths=\(("-" + owner.path).unitQuoted)",
    ]
    // The unit hides what is there. No bind mount shows this directory alone: systemd would follow whatever link its
    // owner had put in its place, as root.
    let path = Array("\(owner.path)/".utf8)
    let isBelow = { ($0 as [String]).contains { path.starts(with: $0.utf8) } }
    if isBelow(["/home/", "/root/", "/run/user/"]) { lines.append("ProtectHome=read-only") }
    if isBelow(["/tmp/", "/var/tmp/"]) { lines += ["PrivateTmp=no", "ReadWritePaths=/var/tmp"] }
    self.init(.service, of: unit, lines)
  }

  /// The socket, and the group that may connect to it.
  init(socket unit: String, group: String) {
    self.init(.socket, of: unit, ["[Socket]", "SocketGroup=\(group)"])
  }
}

extension DropIn {
  /// Whether it is there already, just so.
  var isInstalled: Bool {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: content.utf8.count + 1)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    return count >= 0 && bytes.prefix(count).elementsEqual(content.utf8)
  }

  /// Puts it in place, whole or not at all.
  func write() throws(Failure) {
    let folder = Self.folder(of: path)
    let partial = path + ".partial"
    let descriptor: CInt
    do throws(SystemError) {
      try Self.check("mkdir", unsafe mkdir(folder, 0o755), allowing: EEXIST)
      descriptor = unsafe open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
      try Self.check("open", descriptor)
      defer { close(descriptor) }
      try SystemCalls.writeAll(Array(content.utf8), to: descriptor)
      try Self.check("fsync", fsync(descriptor))
      try Self.check("rename", unsafe rename(partial, path))
    } catch {
      unsafe unlink(partial)
      throw Failure(description: "\(path) cannot be written: \(error)")
    }
  }

  private static func folder(of path: String) -> String {
    String(path[..<(path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.endIndex)])
  }

  /// Removes one, and its directory if nothing else is in it.
  static func remove(_ path: String) throws(Failure) {
    do throws(SystemError) { try check("unlink", unsafe unlink(path), allowing: ENOENT) } catch {
      throw Failure(description: "\(path) cannot be removed: \(error)")
    }
    unsafe rmdir(folder(of: path))
  }

  private static func check(_ call: StaticString, _ result: CInt, allowing allowed: CInt = 0)
    throws(SystemError)
  {
    let reason = errno
    guard result >= 0 || reason == allowed else { throw SystemError(call: "\(call)", errno: reason) }
  }
}
