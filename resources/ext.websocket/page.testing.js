import { createPage } from './page.js';

/**
 * A page with a fake host.
 *
 * @param {Object} [options]
 * @return {Object}
 */
export function open( options ) {
	const p = { posted: [], events: [], logs: [], warnings: [], reports: [], starts: 0, loaded: null, locks: [] };
	p.document = { hidden: false };
	const locks = {
		// request( name, [options,] callback ): the page's own locks are given at once, those of the host never.
		request( name, ...rest ) {
			const lock = { name, take: rest.pop() };
			p.locks.push( lock );
			if ( name.startsWith( 'WebSocket WS' ) ) {
				lock.held = lock.take();
				lock.held.then( () => {
					lock.released = true;
				} );
			}
			return new Promise( () => {} );
		}
	};
	p.stored = {};
	const page = createPage( Object.assign( {
		id: 'WS1',
		store( name, value ) {
			if ( value === undefined ) {
				return p.stored[ name ];
			}
			p.stored[ name ] = structuredClone( value );
		},
		url: 'https://wiki/A',
		returned: false,
		able: true,
		carrier: ( receive, failed ) => {
			p.receive = receive;
			p.failed = failed;
			p.carrier = {
				shared: true,
				start: () => p.starts++,
				post: ( message ) => p.posted.push( message )
			};
			return p.carrier;
		},
		hello: () => ( { url: 'ws://relay/', token: 'T' } ),
		token: ( refused ) => Promise.resolve( { token: 'T' + refused, expires: 5 } ),
		document: p.document,
		locks,
		afterLoad: ( run ) => {
			p.loaded = run;
		},
		event: ( name, value ) => p.events.push( [ name, value ] ),
		grants: ( types, refused ) => Promise.resolve( { tokens: [ { type: types[ 0 ], token: 'T', expires: 5 } ], refused: [ refused ], final: false } ),
		log: ( text ) => p.logs.push( text ),
		warn: ( text ) => p.warnings.push( text ),
		report: ( error ) => p.reports.push( error )
	}, options ) );
	// What was posted since the last call, as "op" or "op type".
	p.took = () => p.posted.splice( 0 ).map( ( m ) => m.type ? m.op + ' ' + m.type : m.op );
	p.up = () => {
		p.api.connect();
		p.loaded();
		p.receive( { op: 'welcome' } );
		p.receive( { op: 'connected' } );
		p.posted = [];
	};
	return Object.assign( p, page );
}
