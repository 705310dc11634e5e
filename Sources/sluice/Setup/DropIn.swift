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
  ///
  /// - Parameter databaseCount: nil if it is not known.
  init(service unit: String, _ owner: DataOwner, databaseCount: Int? = nil) {
    var lines = ["[Service]", "Environment=\("SLUICE_DATA=\(owner.path)".unitQuoted)"] + Self.access(owner)
    if let databaseCount { lines += Self.limits(databaseCount) }
    self.init(.service, of: unit, lines)
  }

  /// Runs the service as the owner of a directory, which it may write to.
  static func access(_ owner: DataOwner) -> [String] {
    var lines = [
      "DynamicUser=no", "User=\(owner.user)", "Group=\(owner.group)",
      "ReadWritePaths=\(("-" + owner.path).unitQuoted)",
    ]
    // The unit hides what is there. No bind mount shows this directory alone: systemd would follow whatever link its
    // owner had put in its place, as root.
    let isBelow = { ($0 as [BytePath]).contains { BytePath(owner.path).lies(in: $0) } }
    if isBelow(["/home", "/root", "/run/user"]) { lines.append("ProtectHome=read-only") }
    if isBelow(["/tmp", "/var/tmp"]) { lines += ["PrivateTmp=no", "ReadWritePaths=/var/tmp"] }
    return lines
  }

  /// What `sluice.service` sets, in MiB.
  private static let memoryMaximum = 512
  /// A part of it that as many databases as there may be in a backup take no part in, in MiB.
  private static let memoryBeside = 256
  /// In KiB: what one takes in each backup. docs/configuration.md says how it was measured.
  private static let memoryPerDatabase = 24
  private static let memoryUnit = 64

  /// The unit's limits, if what the unit sets is too little for so many databases in as many backups at once as there may be.
  private static func limits(_ databaseCount: Int) -> [String] {
    let needed = memoryBeside + Serve.defaultMaximumBackups * databaseCount * memoryPerDatabase / 1024
    guard needed > memoryMaximum else { return [] }
    return ["MemoryMax=\((needed + memoryUnit - 1) / memoryUnit * memoryUnit)M"]
  }

  private static let socketGroup = "SocketGroup="

  /// The socket, and the group that may connect to it.
  init(socket unit: String, group: String) {
    self.init(.socket, of: unit, ["[Socket]", Self.socketGroup + group])
  }

  /// The group that an earlier setup has let connect; nil if there was none.
  static func writtenSocketGroup(_ unit: String) -> String? {
    SystemFile.text(of: path(unit, .socket))?.split(separator: "\n")
      .last { $0.utf8.starts(with: socketGroup.utf8) }.map { String($0.dropFirst(socketGroup.count)) }
  }
}

extension DropIn {
  /// Whether it is there already, just so.
  var isInstalled: Bool {
    let content = Array(content.utf8)
    return (try? FileSystem.openFile(path).read(atMost: content.count + 1)) == content
  }

  /// Puts it in place, whole or not at all.
  func write() throws(Failure) { try SystemFile.write(content, to: path, isSecret: false) }

  /// Removes one, and its directory if nothing else is in it.
  static func remove(_ path: BytePath) throws(Failure) {
    try SystemFile.remove(path)
    if let folder = path.parent { FileSystem.removeDirectory(folder) }
  }
}
