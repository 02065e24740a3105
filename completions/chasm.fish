# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_chasm_global_optspecs
    string join \n repo= R= C= json q/quiet h/help V/version
end

function __fish_chasm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_chasm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_chasm_using_subcommand
    set -l cmd (__fish_chasm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c chasm -n "__fish_chasm_needs_command" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_needs_command" -s R -d 'The same; before the verb only, for verbs have an -R of their own' -r -F
complete -c chasm -n "__fish_chasm_needs_command" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_needs_command" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_needs_command" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_needs_command" -s V -l version -d 'Print version'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "init" -d 'Make a new repository'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "commit" -d 'Record the state of a directory as a commit'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "status" -d 'Show what a commit would record'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "checkout" -d 'Bring a directory to a state'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "diff" -d 'Show what differs between two states'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "log" -d 'Show the commits that led to a state, newest first'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "show" -d 'Show a commit, or what lies at a path of it'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "ls" -d 'List a directory of a commit'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "cat" -d 'Print a file of a commit'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "manifest" -d 'Print all that lies in a commit as one sorted list'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "branch" -d 'List, make, move or delete branches'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "tag" -d 'List, make, move or delete tags'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "undo" -d 'Take back the last move of refs'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "reflog" -d 'Show what refs were'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "fsck" -d 'Check every byte of the repository, and that all that refs need is there'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "gc" -d 'Get back the space of what nothing needs any more'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "du" -d 'Tell what a commit holds, and what would be free without it'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "config" -d 'Read and change the configuration'
complete -c chasm -n "__fish_chasm_needs_command" -f -a "complete" -d 'Write man pages and shell completions'
complete -c chasm -n "__fish_chasm_using_subcommand init" -s b -l branch -d 'Name of the first branch' -r
complete -c chasm -n "__fish_chasm_using_subcommand init" -l policy -d 'What metadata commits keep by default: mirror, unix, full, or features joined by commas' -r
complete -c chasm -n "__fish_chasm_using_subcommand init" -l pool-threshold -d 'Files of at least SIZE lie in the pool as they are, smaller ones in packs' -r
complete -c chasm -n "__fish_chasm_using_subcommand init" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand init" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand init" -l bare -d 'Make DIR itself the repository'
complete -c chasm -n "__fish_chasm_using_subcommand init" -l link -d 'By default, let the pool link files of the tree instead of copying them'
complete -c chasm -n "__fish_chasm_using_subcommand init" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand init" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s b -l branch -d 'The branch that moves, made if need be; the present one if not given' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s m -l message -d 'What to say about it' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l tag -d 'Tag the commit; when nothing changed, the one that stands' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l exclude -d 'Leave out what matches GLOB: a name at any depth, or a path if it contains a slash (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l exclude-from -d 'Leave out what matches a line of FILE; empty lines and those that begin with # do not count (can be repeated)' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l with -d 'Keep this metadata as well: a feature or a policy, see chasm-commit(1) (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l without -d 'Do not keep this metadata (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l policy -d 'What metadata to keep: mirror, unix, full, or features joined by commas' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l time -d 'The time of the commit instead of now' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l author -d 'Who makes the commit' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l manifest -d 'Commit what FILE lists (- for standard input); contents are taken from the repository, else from TREE, and must be what FILE says' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l manifest-format -d 'How FILE is written: json, mtree, or sha256sums; guessed if not given' -r
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l link -d 'Let the pool link the files of the tree instead of copying them; they must not be edited in place then'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l init -d 'Make the repository first, if there is none'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l cross-mounts -d 'Enter directories that are other file systems'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s n -l dry-run -d 'Only tell what a commit would record'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l allow-delete -d 'Commit though most of the files are gone'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l allow-empty -d 'Commit though nothing changed'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand commit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand status" -s b -l branch -d 'The branch to compare with; the present one if not given' -r
complete -c chasm -n "__fish_chasm_using_subcommand status" -l exclude -d 'Leave out what matches GLOB: a name at any depth, or a path if it contains a slash (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand status" -l exclude-from -d 'Leave out what matches a line of FILE; empty lines and those that begin with # do not count (can be repeated)' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand status" -l with -d 'Keep this metadata as well: a feature or a policy, see chasm-commit(1) (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand status" -l without -d 'Do not keep this metadata (can be repeated)' -r
complete -c chasm -n "__fish_chasm_using_subcommand status" -l policy -d 'What metadata to keep: mirror, unix, full, or features joined by commas' -r
complete -c chasm -n "__fish_chasm_using_subcommand status" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand status" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand status" -l cross-mounts -d 'Enter directories that are other file systems'
complete -c chasm -n "__fish_chasm_using_subcommand status" -l exit-code -d 'End with exit code 1 if anything changed'
complete -c chasm -n "__fish_chasm_using_subcommand status" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand status" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l link -d 'Share inodes with the pool; the default'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l require-link -d 'Share inodes with the pool, or fail'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l reflink -d 'Share blocks with the pool where the file system can, else copy'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l copy -d 'Copy everything'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -s f -l force -d 'Overwrite local changes'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l delete -d 'Remove files that no commit knows'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l exchange -d 'Build the new tree beside and exchange the two in one step'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l as-is -d 'Make set-id bits, owners, devices, and other things that give rights'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l allow-delete -d 'Go on though most of the files would be removed'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l strict -d 'End with exit code 9 if anything was made without what gives rights'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand checkout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand diff" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l stat -d 'Count files and bytes for each top directory'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l name-only -d 'Show paths only'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -s p -l patch -d 'Show the differences of texts'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l no-moves -d 'Show a file that moved as one removed and one added'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l exit-code -d 'End with exit code 1 if there are differences'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand log" -s n -l number -d 'At most N commits' -r
complete -c chasm -n "__fish_chasm_using_subcommand log" -l since -d 'Only commits from this time on' -r
complete -c chasm -n "__fish_chasm_using_subcommand log" -l until -d 'Only commits up to this time' -r
complete -c chasm -n "__fish_chasm_using_subcommand log" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand log" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand log" -l oneline -d 'One line a commit'
complete -c chasm -n "__fish_chasm_using_subcommand log" -l ids -d 'Ids only'
complete -c chasm -n "__fish_chasm_using_subcommand log" -l stat -d 'Count what each commit changed'
complete -c chasm -n "__fish_chasm_using_subcommand log" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand log" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand show" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand show" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand show" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand show" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand show" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand ls" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand ls" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand ls" -s l -l long -d 'Show mode, owner, size and time as well'
complete -c chasm -n "__fish_chasm_using_subcommand ls" -s R -l recursive -d 'List what lies below, too'
complete -c chasm -n "__fish_chasm_using_subcommand ls" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand ls" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand ls" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand cat" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand cat" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand cat" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand cat" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand cat" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -l format -d 'json, mtree, sha256sums, or fullfiletimelist' -r
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -s o -l output -d 'Write to FILE, which is replaced when the list is whole' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand manifest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s m -l rename -d 'Rename the branch to NEW' -r
complete -c chasm -n "__fish_chasm_using_subcommand branch" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s f -l force -d 'Move the branch if it exists'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s d -l delete -d 'Delete the branch'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s s -l switch -d 'Make it the present branch; it need not have a commit yet'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand branch" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand tag" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand tag" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand tag" -s f -l force -d 'Move the tag if it exists'
complete -c chasm -n "__fish_chasm_using_subcommand tag" -s d -l delete -d 'Delete the tag'
complete -c chasm -n "__fish_chasm_using_subcommand tag" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand tag" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand tag" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand undo" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand undo" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand undo" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand undo" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -s n -l number -d 'At most N entries' -r
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand reflog" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -l quick -d 'Only follow references; read no contents of files'
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand fsck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand gc" -l grace -d 'How long things wait in the trash; with 0 they do not, and former states of refs are not kept' -r
complete -c chasm -n "__fish_chasm_using_subcommand gc" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand gc" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand gc" -s n -l dry-run -d 'Only tell what would be done'
complete -c chasm -n "__fish_chasm_using_subcommand gc" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand gc" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand du" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand du" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand du" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand du" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand du" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -f -a "get" -d 'Print the value of a key; exit code 1 if it is not set'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -f -a "set" -d 'Set a key'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -f -a "unset" -d 'Take a key away, back to the default'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -f -a "list" -d 'Print all keys that are set'
complete -c chasm -n "__fish_chasm_using_subcommand config; and not __fish_seen_subcommand_from get set unset list seal" -f -a "seal" -d 'Accept a configuration that was edited by hand; fsck takes it for damage until then'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from get" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from get" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from get" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from set" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from set" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from set" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from unset" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from unset" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from unset" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from unset" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from list" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from list" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from list" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from seal" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from seal" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from seal" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from seal" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand config; and __fish_seen_subcommand_from seal" -s h -l help -d 'Print help'
complete -c chasm -n "__fish_chasm_using_subcommand complete" -l man -d 'Where man pages go' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand complete" -l completions -d 'Where completions go' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand complete" -l repo -d 'The repository, bare or a work tree that contains one; found upwards from here if not given' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand complete" -s C -d 'Run as if started in DIR' -r -F
complete -c chasm -n "__fish_chasm_using_subcommand complete" -l json -d 'Print JSON, one object a line, for programs'
complete -c chasm -n "__fish_chasm_using_subcommand complete" -s q -l quiet -d 'Say nothing but answers and errors'
complete -c chasm -n "__fish_chasm_using_subcommand complete" -s h -l help -d 'Print help'
