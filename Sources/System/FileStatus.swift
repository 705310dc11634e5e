package import Glibc

extension FileSystem {
  /// What `lstat` says of a path.
  package struct Status {
    package enum Kind {
      case regular
      case directory
      case symbolicLink
      case other
    }

    package let kind: Kind
    /// Device and inode: two paths with the same are one file.
    package let identity: Identity
    /// How many names it has.
    package let linkCount: UInt64
    /// Unix permission bits.
    package let permissions: UInt16
    /// The same with the bits for set-user-ID, set-group-ID and sticky.
    package let allPermissions: UInt16
    /// Of a directory: whether what is made in it gets its group, and folders this bit (`S_ISGID`).
    package let givesItsGroup: Bool
    package let size: UInt64
    /// Seconds since 1970.
    package let modified: Int64
    /// The same to the nanosecond.
    package let modifiedAt: Time
    /// When anything of it was changed: every write moves this, and no program can set it.
    package let changedAt: Time
    /// The numbers of its user and its group.
    package let owner: UInt32
    package let group: UInt32

    /// The corresponding C type is `struct stat`.
    package init(_ status: stat) {
      kind =
        switch status.st_mode & S_IFMT {
        case S_IFREG: .regular
        case S_IFDIR: .directory
        case S_IFLNK: .symbolicLink
        default: .other
        }
      identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
      linkCount = UInt64(status.st_nlink)
      permissions = UInt16(status.st_mode & 0o777)
      allPermissions = UInt16(status.st_mode & 0o7777)
      givesItsGroup = status.st_mode & S_ISGID != 0
      size = UInt64(status.st_size)
      modified = Int64(status.st_mtim.tv_sec)
      modifiedAt = Time(status.st_mtim)
      changedAt = Time(status.st_ctim)
      owner = status.st_uid
      group = status.st_gid
    }
  }

  /// As `stat` gives it: a file may claim times that nanoseconds in 64 bits have no room for.
  package struct Time: Equatable {
    package let seconds: Int64
    package let nanoseconds: Int64

    init(_ time: timespec) {
      seconds = Int64(time.tv_sec)
      nanoseconds = Int64(time.tv_nsec)
    }

    /// How far the time of a change may lie behind the clock: Linux stamps files with that of the last tick, which
    /// is 1 to 10 ms old.
    package static let tick: Int64 = 20_000_000
    /// The same where times are kept in whole seconds, or, in FAT, in pairs of them.
    private static let coarseTick: Int64 = 2_100_000_000

    /// For how long after this time another change may get the same, in nanoseconds.
    package var resolution: Int64 { nanoseconds == 0 ? Self.coarseTick : Self.tick }

    /// Whether a change that is made at a moment, or later, may get the same time as this one.
    ///
    /// - Parameter moment: nanoseconds since 1970.
    package func mayRecur(at moment: Int64) -> Bool { !isBefore(moment - resolution) }

    /// Whether a change that is made at a moment may get the same time as this one, unless it is made later. A clock that
    /// was set back leaves times that are still to come, and none of them is given now.
    package func isNear(_ moment: Int64) -> Bool { mayRecur(at: moment) && isBefore(moment + resolution) }

    private func isBefore(_ moment: Int64) -> Bool {
      (seconds, nanoseconds) < (moment / 1_000_000_000, moment % 1_000_000_000)
    }
  }

  /// What makes a file itself, whatever its name.
  package struct Identity: Hashable {
    package let device: UInt64
    package let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
      self.device = device
      self.inode = inode
    }
  }
}
