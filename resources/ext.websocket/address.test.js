import assert from 'node:assert/strict';
import { test } from 'node:test';
import { address } from './address.js';

test( 'the address of the relay', () => {
	const http = 'http://wiki.example/wiki/Page?x=1#y';
	const https = 'https://wiki.example:8443/wiki/Page';
	for ( const [ settings, page, want ] of [
		[ {}, http, 'ws://wiki.example:1729' ],
		[ { wgServer: 'http://other.example:8080' }, http, 'ws://other.example:1729' ],
		[ { wgServer: '//wiki.example:8443' }, https, 'wss://wiki.example:1729' ],
		[ { tlsPort: 1730 }, http, 'ws://wiki.example:1729' ],
		[ { tlsPort: 1730 }, https, 'wss://wiki.example:1730' ],
		[ { wsRewrite: true }, http, 'ws://wiki.example/websocket:1729' ],
		[ { wsRewrite: true, tlsPort: 1730, wgServer: 'https://wiki.example:8443' }, https, 'wss://wiki.example:8443/websocket:1730' ],
		[ { wgServer: 'http://[::1]:8080' }, http, 'ws://[::1]:1729' ],
		[ { url: '/websocket' }, http, 'ws://wiki.example/websocket' ],
		[ { url: '/websocket' }, https, 'wss://wiki.example:8443/websocket' ],
		[ { url: 'wss://relay.example/ws' }, http, 'wss://relay.example/ws' ],
		[ { url: 'ws://relay.example:99/ws' }, https, 'ws://relay.example:99/ws' ],
		[ { url: 'https://relay.example/ws' }, https, 'wss://relay.example/ws' ],
		[ { url: '//relay.example/ws' }, https, 'wss://relay.example/ws' ]
	] ) {
		const config = Object.assign( {
			wsPort: 1729, wsRewrite: false, wgServer: new URL( page ).origin, wsConfig: { url: null, tlsPort: null }
		}, settings, { wsConfig: { url: settings.url || null, tlsPort: settings.tlsPort || null } } );
		assert.equal( address( ( name ) => config[ name ], new URL( page ) ), want, JSON.stringify( settings ) + ' ' + page );
	}
} );
