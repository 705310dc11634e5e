import Service
import System

/// A file that adds to a unit what is true on this host only; see systemd.unit(5).
struct DropIn {
  enum Kind: String, CaseIterable { case service, socket }

  let path: BytePath
  let content: String

  static func path(_ unit: String, _ kind: Kind) -> BytePath {
    BytePath("/etc/systemd/system/\(unit).\(kind).d/50-sluice-setup.conf")
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
    let isBelow = { ($0 as [BytePath]).contains { BytePath(owner.path).lies(in: $0) } }
    if isBelow(["/home", "/root", "/run/user"]) { lines.append("ProtectHome=read-only") }
    if isBelow(["/tmp", "/var/tmp"]) { lines += ["PrivateTmp=no", "ReadWritePaths=/var/tmp"] }
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
    let content = Array(content.utf8)
    return (try? FileSystem.openFile(path).read(atMost: content.count + 1)) == content
  }

  /// Puts it in place, whole or not at all.
  func write() throws(Failure) {
    do throws(SystemError) {
      let folder = try makeFolder()
      let partial = path.name + ".partial"
      // What a run that was killed has left.
      try folder.remove(partial)
      let file = try folder.makeFile(partial)
      do throws(SystemError) {
        try file.write(Array(content.utf8))
        try file.own(as: try folder.status(), permissions: 0o644)
        try file.sync()
        try folder.rename(partial, to: folder, path.name)
      } catch {
        try folder.remove(partial)
        throw error
      }
    } catch {
      throw Failure(description: "\(path) cannot be written: \(error)")
    }
  }

  /// The folder that it is in, which is made if it is not there.
  private func makeFolder() throws(SystemError) -> Directory {
    guard let path = path.parent, let parent = path.parent else { fatalError("\(path) is no unit's file") }
    let units = try Directory(path: parent)
    if try units.status(path.name) == nil { try units.makeDirectory(path.name).own(as: try units.status()) }
    return try Directory(path: path)
  }

  /// Removes one, and its directory if nothing else is in it.
  static func remove(_ path: BytePath) throws(Failure) {
    do throws(SystemError) { try FileSystem.remove(path) } catch {
      guard error.isMissing else { throw Failure(description: "\(path) cannot be removed: \(error)") }
    }
    if let folder = path.parent { FileSystem.removeDirectory(folder) }
  }
}
