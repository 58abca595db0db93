// Loaded before Azurite: ends it when the program that started it is gone, however that one ended.
process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));
