import CSQLite
import Glibc
import System

/// What a read-only mount tells of the files on it.
enum ReadOnlyFileSystem {
  /// Whether a file can be written to through the mount that its path leads over.
  ///
  /// The corresponding C function is `statvfs`.
  static func isReadOnly(_ path: BytePath) -> Bool {
    var status = statvfs()
    return unsafe statvfs(path.cString, &status) == 0 && status.f_flag & UInt(ST_RDONLY) != 0
  }

  /// Whether no process can write to a file at all, as far as the kernel can tell: its whole file system is read-only, not the
  /// mount alone, and it is one that no other machine and no process in user space can change.
  ///
  /// proc_pid_mountinfo(5): the options behind the separator are the file system's own. The corresponding C function is
  /// `statx` with `STATX_MNT_ID`.
  static func isFrozen(_ path: BytePath) -> Bool {
    var mount: UInt64 = 0
    guard isReadOnly(path), unsafe csqlite_mount(path.cString, &mount) == 0 else { return false }
    for line in mounts().split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.first == "\(mount)"[...], let separator = fields.firstIndex(of: "-"),
        fields.count > separator + 3
      else { continue }
      return localTypes.contains(String(fields[separator + 1]))
        && fields[separator + 3].split(separator: ",").contains("ro")
    }
    return false
  }

  /// Of a block device or a memory of this machine. Not among them, since others may write to what lies behind: network file
  /// systems, FUSE, overlayfs, and ZFS, whose data sets are written by `zfs receive` behind a read-only mount.
  private static let localTypes: Set<String> = [
    "btrfs", "cramfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "ntfs3", "romfs",
    "squashfs", "tmpfs",
    "udf", "vfat", "xfs",
  ]

  /// In bytes; a machine with more mounts than this has room for is one that cannot be judged.
  private static let maximumMountsSize = 4 << 20

  private static func mounts() -> String {
    let text = try? FileSystem.openFile("/proc/self/mountinfo").read(atMost: maximumMountsSize)
    return String(decoding: text ?? [], as: UTF8.self)
  }
}
