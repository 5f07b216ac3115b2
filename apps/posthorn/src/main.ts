console.log(process.version, process.execArgv, process.argv.slice(2), process.pid)
