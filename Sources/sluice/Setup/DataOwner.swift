import EventLoop
import Glibc
import Service
import System

/// The owner of a data directory: the user that its backups are made as.
struct DataOwner {
  /// The absolute path, without links.
  let path: String
  /// Names, or numbers where there is no name that a unit may have.
  let user: String
  let group: String
  /// The group that may connect to the socket: no more users than may read the directory.
  let socketGroup: String
  /// What an administrator should know before it surprises him.
  private(set) var warnings: [String] = []

  /// Reads a directory's owner.
  ///
  /// - Throws: a `Failure` that says why no unit can serve it.
  ///
  /// - Parameter option: the one that names the directory, for messages.
  init(of directory: String, option: String = "--data") throws {
    let status: stat
    (path, status) = try Self.servable(directory, option)
    let entry = unsafe getpwuid(status.st_uid)
    // A group that is root's only because root made the directory says nothing of the application.
    let isRoots = status.st_gid == 0 && status.st_uid != 0
    let gid = isRoots ? unsafe entry?.pointee.pw_gid ?? status.st_uid : status.st_gid
    let userName = unsafe entry.map { unsafe String(cString: $0.pointee.pw_name) }
    let groupName = unsafe getgrgid(gid).map { unsafe String(cString: $0.pointee.gr_name) }
    guard let userName, let groupName else {
      throw Self.unnamed("\(option) \(path)", user: (status.st_uid, userName), group: (gid, groupName))
    }
    user = Self.unitName(userName, or: status.st_uid)
    group = Self.unitName(groupName, or: gid)
    socketGroup = Self.socketGroup(of: status, named: group)
    if socketGroup == "root" {
      warnings.append(
        "only root can connect: the group of \(path) cannot read it, or is nogroup; see --socket-group"
      )
    }
    warnOfOwners(status.st_uid)
  }

  /// The path of a directory without links, and its status.
  ///
  /// - Throws: a `Failure`, if that is no directory that a unit can serve.
  private static func servable(
    _ directory: String, _ option: String
  ) throws(Failure) -> (path: String, status: stat) {
    let resolved: BytePath
    var status = stat()
    do throws(SystemError) {
      resolved = try FileSystem.canonical(BytePath(directory))
      try SystemCalls.require("stat") { unsafe Int(stat(resolved.cString, &status)) }
    } catch {
      throw Failure(description: "\(option) \(directory): \(error)")
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw Failure(description: "\(option) \(directory) is no directory")
    }
    guard let path = resolved.string, !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
      throw Failure(
        description: "\(option): a unit can have no path with control characters or outside UTF-8")
    }
    guard path != "/" else {
      throw Failure(
        description:
          "\(option) /: the service would have the whole system to write to; give a directory in it")
    }
    // systemd.exec(5), DynamicUser=: these are given to another when their unit ends.
    guard !(61184...65519).contains(status.st_uid) else {
      throw Failure(
        description:
          "\(option) \(path) belongs to \(status.st_uid), which is lent by systemd (DynamicUser=): "
          + "give the application's unit a User= of its own first")
    }
    return (path, status)
  }

  /// Debian's `nogroup` is the group of all daemons that have none of their own.
  private static let noGroup: gid_t = 65534

  /// The directory's own group if that may read it and belongs to a user, else root's.
  private static func socketGroup(of status: stat, named name: String) -> String {
    let mayRead = status.st_mode & (S_IRGRP | S_IXGRP) == S_IRGRP | S_IXGRP
    let belongsToUser = status.st_gid != 0 && status.st_gid != noGroup && gid_t(name) == nil
    return mayRead && belongsToUser ? name : "root"
  }

  private mutating func warnOfOwners(_ owner: uid_t) {
    if owner == 0 {
      warnings.append("\(path) belongs to root: the service will run as root, though without capabilities")
    }
    let others = databases().filter { $0.owner != owner }
    guard let first = others.first else { return }
    let more = others.count > 1 ? " and \(others.count - 1) more belong" : " belongs"
    warnings.append(
      "\(first.name)\(more) to another user (\(first.owner)) than \(path): what \(user) may not open, or in WAL mode not "
        + "write, is skipped")
  }

  private func databases() -> [(name: String, owner: uid_t)] {
    let names = (try? FileSystem.names(in: path, limit: .max)) ?? []
    return names.compactMap { name in
      guard name.hasSuffix(".db"),
        let status = try? FileSystem.status(BytePath(path).appending(name))
      else { return nil }
      return (name.lossyString, status.owner)
    }
  }

  /// systemd starts no unit as a number that has no name: status 217/USER or 216/GROUP. The files of a container's volume
  /// often belong to one.
  private static func unnamed(
    _ shown: String, user: (id: uid_t, name: String?), group: (id: gid_t, name: String?)
  ) -> Failure {
    let isUser = user.name == nil
    let what = isUser ? "user \(user.id)" : "group \(group.id)"
    var commands: [String] = []
    if group.name == nil { commands.append("groupadd --system --gid \(group.id) app-\(group.id)") }
    if isUser {
      commands.append(
        "useradd --system --uid \(user.id) --gid \(group.id) --no-create-home --shell /usr/sbin/nologin app-\(user.id)"
      )
    }
    return Failure(
      description:
        "\(shown) belongs to \(what), which has no name here, and systemd starts no unit as it; "
        + "give it one, and repeat this: \(commands.joined(separator: " && "))")
  }

  /// Some names are none for systemd, which takes the number then: systemd.exec(5), `User=`.
  private static func unitName(_ text: String, or number: UInt32) -> String {
    let isPlain = text.utf8.allSatisfy { isalnum(CInt($0)) != 0 || "_-.".utf8.contains($0) }
    guard isPlain, let first = text.utf8.first, isalpha(CInt(first)) != 0 || first == UInt8(ascii: "_") else {
      return "\(number)"
    }
    return text
  }
}
