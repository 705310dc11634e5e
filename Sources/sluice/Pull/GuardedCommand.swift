import Pull
import System

/// A command that gets an archive on its standard input and finds the end of it only if the archive is sound.
///
/// A guard starts it in a session of its own and has the pipe open for writing, too. If this process ends before it has
/// released the guard, however it ends, the guard kills the whole group: no program takes the end of this process for the end
/// of the archive.
final class GuardedCommand {
  /// The command is `$@` after the name. It reads 5; 4 is what is written to it; 3 is how this process speaks to the guard.
  private static let script = """
    export SLUICE_NAME="$1"
    shift
    "$@" <&5 5<&- 4>&- 3<&- &
    exec 5<&-
    read -r word <&3 || kill -s KILL 0
    exec 3<&- 4>&-
    wait "$!"
    """
  /// How long members of a group that was killed may take to be gone; in looks of 10 ms.
  private static let looks = 200

  let input: OutgoingPipe
  private let child: ChildProcess.Running
  private var control: Descriptor?
  /// Shows what the command has left unread.
  private var unread: Descriptor?

  /// - Parameters:
  ///   - command: a program and its arguments.
  ///   - variables: that the command gets.
  ///   - name: of the archive; the command finds it as `SLUICE_NAME`.
  ///   - output: descriptor of its standard output and error.
  init(_ command: [String], _ variables: ProgramVariables, name: String, output: CInt) throws(SystemError) {
    let data = try SystemCalls.pipe()
    let reading = Descriptor(owning: data[0])
    let writing = Descriptor(owning: data[1])
    let ends = try SystemCalls.pipe()
    let released = Descriptor(owning: ends[0])
    let control = Descriptor(owning: ends[1])
    var streams = ChildProcess.Streams(output: output, error: output)
    let nothing = try FileSystem.openFile("/dev/null")
    streams.input = nothing.rawValue
    streams.others = [(released.rawValue, 3), (writing.rawValue, 4), (reading.rawValue, 5)]
    child = try ChildProcess.Running(
      "/bin/sh", ["-c", Self.script, "sluice-pull", name] + command, streams,
      variables: variables.include, leads: true)
    input = try OutgoingPipe(owning: writing)
    self.control = consume control
  }

  /// Lets the command find the end of its input: the archive is sound, and all of it was written.
  func release() {
    // A reader of our own, after the last byte: a pipe without one takes none.
    if let writing = input.rawValue {
      unread = try? FileSystem.openFile(BytePath("/proc/self/fd/\(writing)"))
    }
    leave()
    input.close()
  }

  private func leave() {
    if let control = control?.rawValue { try? SystemCalls.writeAll([UInt8(ascii: "\n")], to: control) }
    control = nil
  }

  /// How long a command may go on that reads nothing any more.
  private static let patience = Duration.seconds(10)

  /// How it ended, once it has; nil if it had to be killed, because it reads nothing any more and does not end.
  ///
  /// - Returns: also whether it has left something unread.
  func wait(isInterrupted: () -> Bool) throws -> (end: ChildProcess.End, hasLeftSome: Bool)? {
    leave()
    let deadline = input.fault == nil ? nil : ContinuousClock.now + Self.patience
    while true {
      if let end = try child.end() {
        guard let rest = unread?.rawValue else { return (end, false) }
        return (end, try SystemCalls.readSome(rest, 1)?.isEmpty == false)
      }
      if isInterrupted() { throw PullInterruption() }
      if let deadline, ContinuousClock.now > deadline {
        kill()
        return nil
      }
      FileSystem.pause()
    }
  }

  /// Ends it and all that it has started, before it finds the end of its input.
  func kill() {
    child.killGroup()
    for _ in 0..<Self.looks {
      _ = try? child.end()
      guard child.hasGroup else { break }
      FileSystem.pause()
    }
    control = nil
    input.close()
  }

  deinit { if control != nil { kill() } }
}
