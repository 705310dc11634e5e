import Glibc
package import System

/// Signals as events of the loop. The model is signalfd(2).
@Loop package final class Signals {
  private let descriptor: Descriptor
  private let registration: Registration

  /// Keeps signals from their default action. To be called before the first thread starts, since each
  /// inherits its creator's mask.
  package nonisolated static func block(_ signals: [CInt]) {
    SystemCalls.blockSignals(signals)
  }

  /// Those of `signals` that the process which started us did not set to be ignored, as nohup(1) does; a signal that is
  /// blocked would be received all the same.
  package nonisolated static func notIgnored(_ signals: [CInt]) -> [CInt] {
    signals.filter { !SystemCalls.isIgnored($0) }
  }

  /// Whether one of them, blocked, has come.
  package nonisolated static func isPending(_ signals: [CInt]) -> Bool { SystemCalls.isPending(signals) }

  /// Receives signals that `block` has blocked.
  package init(_ signals: [CInt]) throws(SystemError) {
    let descriptor = try SystemCalls.signalDescriptor(signals)
    registration = try Registration(descriptor.rawValue)
    self.descriptor = descriptor
  }

  /// Waits for the next signal and answers its number.
  package func next() async throws(SystemError) -> CInt {
    while true {
      if let signal = try SystemCalls.readSignal(descriptor.rawValue) { return signal }
      try await registration.wait(.read, for: "read", until: nil)
    }
  }
}
