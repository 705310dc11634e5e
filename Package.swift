// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in CI only: a newer compiler must not break a user's build.
let inCI = Context.environment["CI"] == "true"

let testSettings: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ] + (inCI ? [.treatAllWarnings(as: .error)] : [])

let settings = testSettings + [.strictMemorySafety()]

let package = Package(
  name: "sluice",
  traits: [
    .trait(name: "ISAL", description: "Deflate with Intel's ISA-L, several times as fast as zlib.")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    // Module maps over the system's own headers.
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CISAL", pkgConfig: "libisal", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(
      name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // The rooms, each depending only on those above it. Sources/README.md draws them.
    .target(name: "EventLoop", dependencies: ["CLinux"], swiftSettings: settings),
    .target(name: "HTTP1", dependencies: ["EventLoop"], swiftSettings: settings),
    .target(
      name: "Zip",
      dependencies: ["CZlib", .target(name: "CISAL", condition: .when(traits: ["ISAL"]))],
      swiftSettings: settings),
    .target(name: "SQLiteSnapshot", dependencies: ["CSQLite"], swiftSettings: settings),
    .target(
      name: "Backup",
      dependencies: [
        "EventLoop", "SQLiteSnapshot", "Zip",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: settings),
    .target(name: "Systemd", dependencies: ["CSystemd"], swiftSettings: settings),
    .executableTarget(
      name: "sluice",
      dependencies: [
        "Backup", "CLinux", "EventLoop", "HTTP1", "SQLiteSnapshot", "Systemd", "Zip",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: settings),

    .target(
      name: "TestSupport", dependencies: ["EventLoop"], path: "Tests/TestSupport", swiftSettings: testSettings
    ),
    .testTarget(
      name: "EventLoopTests", dependencies: ["EventLoop", "TestSupport"], swiftSettings: testSettings),
    .testTarget(
      name: "HTTP1Tests", dependencies: ["EventLoop", "HTTP1", "TestSupport"], swiftSettings: testSettings),
    .testTarget(name: "ZipTests", dependencies: ["Zip"], swiftSettings: testSettings),
    .testTarget(
      name: "SQLiteSnapshotTests", dependencies: ["CSQLite", "SQLiteSnapshot"],
      swiftSettings: testSettings),
    .testTarget(
      name: "BackupTests",
      dependencies: ["Backup", "CSQLite", "EventLoop", "SQLiteSnapshot", "TestSupport", "Zip"],
      swiftSettings: testSettings),
  ]
)
