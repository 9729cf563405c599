// What the global object had before Go's support code came: import this first.
export const before = {};
[ 'Go', 'process', 'path' ].forEach( ( name ) => {
	before[ name ] = self[ name ];
} );
