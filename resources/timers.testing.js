/**
 * Replace setTimeout and clearTimeout by ones that run when a test says so.
 *
 * @return {{tick: function(number), restore: function()}} tick lets so many milliseconds pass
 */
export function fakeTimers() {
	const { setTimeout, clearTimeout } = globalThis;
	const waiting = new Map();
	let now = 0;
	let last = 0;
	globalThis.setTimeout = ( run, delay ) => {
		waiting.set( ++last, { run, due: now + ( delay || 0 ) } );
		return last;
	};
	globalThis.clearTimeout = ( id ) => waiting.delete( id );
	return {
		tick( ms ) {
			now += ms;
			waiting.forEach( ( timer, id ) => {
				if ( timer.due <= now && waiting.delete( id ) ) {
					timer.run();
				}
			} );
		},
		restore: () => Object.assign( globalThis, { setTimeout, clearTimeout } )
	};
}
