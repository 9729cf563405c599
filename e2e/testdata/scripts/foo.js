#!/usr/bin/node
// foo.js URL TEXT [ID]   tells every page that Foo's data has changed.
// With an ID it stays, and prints what is sent to everybody or to that ID.
'use strict';
const WebSocket = require( 'ws' );

const [ url, text, id ] = process.argv.slice( 2 );
const token = process.env.WEBSOCKET_TOKEN;
const ws = new WebSocket( url, { headers: token ? { Authorization: `Bearer ${ token }` } : {} } );

ws.on( 'open', () => {
	ws.send( JSON.stringify( { type: 'FooDataChanged', msg: text, from: id } ) );
	if ( !id ) {
		ws.close();
	}
} );
ws.on( 'message', ( message ) => console.log( String( message ) ) );
